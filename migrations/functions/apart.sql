-- The subject under which something of a known source (its requests, its wrong codes) is counted apart from strangers'.
create or replace function apart(p_source uuid, p_what text) returns uuid language sql immutable as $$
    select encode(substr(sha256((p_source::text || p_what)::bytea), 1, 16), 'hex')::uuid
$$;

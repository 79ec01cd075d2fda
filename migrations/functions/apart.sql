-- The subject under which a known source's requests or wrong codes are counted, apart from strangers'.
create or replace function apart(p_source uuid, p_what text) returns uuid language sql immutable as $$
    select encode(substr(sha256((p_source::text || p_what)::bytea), 1, 16), 'hex')::uuid
$$;

-- A count that fades: what is left of it after some time, when a whole count fades to 1/e in p_seconds.
create or replace function faded(p_count float8, p_since timestamptz, p_now timestamptz, p_seconds float8) returns float8
language sql immutable as $$
    select p_count * exp(-greatest(0, extract(epoch from p_now - p_since)::float8) / p_seconds)
$$;

-- What is left of a count after some time, if a count fades to 1/e of itself in p_seconds.
-- (date_part, because extract reckons with as many digits as there may be, which takes several times as long.)
create or replace function faded(p_count float8, p_since timestamptz, p_now timestamptz, p_seconds float8) returns float8
language sql immutable as $$
    select p_count * exp(-greatest(0, date_part('epoch', p_now - p_since)) / p_seconds)
$$;

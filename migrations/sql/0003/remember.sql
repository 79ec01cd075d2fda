-- Remember where a verified number was verified from: for 90 days these sources are known. Daily visits write once a day.
create or replace function remember(v verifications, p_now timestamptz) returns void
language sql as $$
    insert into known_sources as k (source, phone_hash, until)
    select s.source, v.phone_hash, p_now + interval '90 days' from unnest(v.sources) as s(source) order by s.source
    on conflict (source) do update set until = excluded.until
    where k.until < excluded.until - interval '1 day'
$$;

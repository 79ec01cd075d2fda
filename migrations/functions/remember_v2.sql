-- Remember where a verified number was verified from: for p_known_for these sources are known.
-- Written again only once a ninetieth of that time has passed (a day, for 90 days), however often somebody comes.
-- Only settle_guess_v2 calls it, which processes of revision 0005 call. It stands here because it takes a row of a table:
-- the way back beyond 0003 drops such functions of this folder, and the table after them.
create or replace function remember_v2(v verifications, p_now timestamptz, p_known_for interval) returns void
language sql as $$
    insert into known_sources as k (source, phone_hash, until)
    select s.source, v.phone_hash, p_now + p_known_for from unnest(v.sources) as s(source) order by s.source
    on conflict (source) do update set until = excluded.until
    where k.until < excluded.until - p_known_for / 90
$$;

-- Let an operator's key make one call: count it in the windows of each subject, unless one of them is full.
-- Returns after how many seconds to try again, 0 if the call was counted; null for a key that was revoked or has ended.
create or replace function enter_operator(
    p_now timestamptz, p_key int, p_keep int, w_subject uuid[], w_max int[], w_seconds float8[]
) returns float8 language plpgsql as $$
declare
    v_now timestamptz;
    v_wait float8;
begin
    perform hold_subjects(w_subject);
    v_now := coalesce(p_now, clock_timestamp());
    if not exists (
        select from api_keys k where k.id = p_key and k.revoked_at is null and (k.ends_at is null or k.ends_at > v_now)
    ) then
        return null;
    end if;
    select max(extract(epoch from c.hits[w.max] - v_now) + w.seconds) into v_wait
    from unnest(w_subject, w_max, w_seconds) as w(subject, max, seconds)
    join counters c on c.subject = w.subject;
    if v_wait > 0 then return v_wait; end if;
    perform count_hits(array(select distinct w.subject from unnest(w_subject) as w(subject)), p_keep, v_now);
    return 0;
end
$$;

-- For how many seconds the oldest claimable verification has been due: pending, not expired, readable with these keys
-- (p_tags) and locked by nobody. A row that no process can claim (locked by somebody's open transaction, or expired and
-- impossible to end) must not have everybody's requests refused.
-- Only a lock attempt shows whether a row is locked, and every process looks each second: so it is made only if a row
-- has been due for p_overdue.
-- unreadable: whether something overdue was sealed under a key that is not here.
create or replace function backlog_v2(
    p_now timestamptz, p_tags bytea[], p_overdue interval
) returns table (waited float8, unreadable boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_overdue timestamptz := v_now - p_overdue;
    v_oldest timestamptz;
begin
    select v.next_action_at into v_oldest from verifications v
    where v.next_action_at <= v_now and v.status = 'pending' and v.expires_at > v_now
      and (p_tags is null or substring(v.sealed for 4) = any (p_tags))
    order by v.next_action_at limit 1;
    if v_oldest < v_overdue then
        select v.next_action_at into v_oldest from verifications v
        where v.next_action_at <= v_now and v.status = 'pending' and v.expires_at > v_now
          and (p_tags is null or substring(v.sealed for 4) = any (p_tags))
        order by v.next_action_at limit 1 for update skip locked;
    end if;
    waited := coalesce(extract(epoch from v_now - v_oldest), 0);
    unreadable := exists (
        select from (
            select v.sealed from verifications v
            where v.next_action_at < v_overdue and v.status = 'pending' and v.expires_at > v_now
            order by v.next_action_at limit 100
        ) as o where substring(o.sealed for 4) <> all (p_tags)
    );
    return next;
end
$$;

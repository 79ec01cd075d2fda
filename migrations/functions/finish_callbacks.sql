-- Say how attempts ended: taken (p_failure null), to be tried again after p_wait seconds, or given up (p_wait null).
-- An attempt after which another has begun, or a replay was asked for, says nothing any more.
-- An endpoint is failing from the first attempt that failed until one is taken. It is disabled (d_) where something was
-- given up, or where it said that it is gone; not what its client has set in its place since.
create or replace function finish_callbacks(
    p_now timestamptz, p_id uuid[], p_receiver uuid[], p_attempt int[], p_wait float8[], p_failure text[],
    d_row uuid[], d_reason text[]
) returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    with ended as (
        update callbacks c set
            taken_at = case when f.failure is null then v_now end,
            next_at = case when f.failure is not null then v_now + make_interval(secs => f.wait) end,
            failure = f.failure
        from unnest(p_id, p_receiver, p_attempt, p_wait, p_failure) as f(id, receiver, attempt, wait, failure)
        where c.id = f.id and c.taken_at is null and c.attempts = f.attempt
        returning f.receiver, c.taken_at is not null as taken
    ), told as (
        select e.receiver, bool_or(e.taken) as taken from ended e group by e.receiver
    )
    update callback_endpoints e set failing_since = case when not t.taken then v_now end
    from told t
    where e.row = t.receiver and t.taken = (e.failing_since is not null);
    update callback_endpoints e set disabled_at = v_now, disabled_for = d.reason
    from unnest(d_row, d_reason) as d(row, reason)
    where e.row = d.row and e.disabled_at is null;
end
$$;

-- A caller's fallback to the next channel: guarded by the clock, counted in the limits of phone and ip, and made the
-- row's next action unless that channel was used before. The result does not reveal what was sent.
-- p_extends_to: for at least this long a code is valid afterwards, but not beyond p_longest from the request, and never
-- shorter than before.
create or replace function use_fallback(
    p_now timestamptz, p_key int, p_client int, p_id uuid, p_order text[], p_after interval,
    p_extends_to interval, p_longest interval, p_most_sends int, p_keep int, p_codes int,
    w_kind text[], w_max int[], w_seconds float8[]
) returns table (
    outcome text, status text, created_at timestamptz, expires_at timestamptz, closed_at timestamptz,
    used text[], pressed_at timestamptz, remaining int, wait float8
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v verifications;
    v_now timestamptz;
    v_channel text;
    v_wait float8;
begin
    if not exists (select from api_keys k where k.id = p_key and k.revoked_at is null) then
        return query select 'unauthorized', null, null::timestamptz, null::timestamptz, null::timestamptz,
                            null::text[], null::timestamptz, null::int, null::float8;
        return;
    end if;
    select * into v from verifications r where r.id = p_id and r.client_id = p_client for update;
    v_now := coalesce(p_now, clock_timestamp());
    status := effective_status_v2(v, v_now, p_codes, w_kind, w_max, w_seconds);
    remaining := attempts_left_v2(v, v_now, p_codes, w_kind, w_max, w_seconds);
    v_channel := (select c from unnest(p_order) with ordinality as o(c, n) where c <> all (v.used) order by n limit 1);
    wait := extract(epoch from v.pressed_at + p_after - v_now);
    outcome := case
        when v.id is null then 'unknown'
        when status <> 'pending' then 'closed'
        when v_channel is null then 'exhausted'
        when wait > 0 then 'early'
    end;
    if outcome is null then
        perform hold_subjects(array[v.phone_hash, v.ip_limit]);
        select max(extract(epoch from c.hits[w.max] - v_now) + w.seconds) into v_wait
        from unnest(w_kind, w_max, w_seconds) as w(kind, max, seconds)
        join counters c on c.subject = case w.kind when 'phone_limit' then v.phone_limit when 'ip_limit' then v.ip_limit end
        where ('limits' = any (v.lifts)) is not true;
        if v_wait > 0 then
            outcome := 'limited';
            wait := v_wait;
        else
            outcome := 'used';
            perform count_hits(array[v.phone_limit, v.ip_limit], p_keep, v_now);
            update verifications r set
                used = r.used || v_channel,
                pressed_at = v_now,
                expires_at = greatest(r.expires_at, least(v_now + p_extends_to, r.created_at + p_longest)),
                nudged = true,
                next_action_at = case when r.lease_token is null then v_now else r.next_action_at end
            where r.id = v.id
            returning * into v;
            insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at)
            select v.id, s.n + 1, v.phone_hash, v_channel, 'press', 'due', v_now, v_now
            from (select count(*) as n, array_agg(x.channel) as tried from sends x where x.verification_id = v.id) as s
            where s.n < p_most_sends and v_channel <> all (s.tried)
            -- an automatic channel of a process of the release before, which begins without locking the row
            on conflict (verification_id, ordinal) do nothing;
        end if;
    end if;
    created_at := v.created_at;
    expires_at := v.expires_at;
    closed_at := v.closed_at;
    used := v.used;
    pressed_at := v.pressed_at;
    return next;
end
$$;

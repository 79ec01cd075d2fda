-- Reserve one guess before the provider is asked. The count is exact with any number of callers, because the
-- verification's row and both budgets are locked. Returns what to ask (the sends), or why not.
-- An Idempotency-Key that was seen before gets the earlier reply if it comes with the same code (p_body: a keyed hash
-- of the code and of what it was for); if that guess is still open, 'in_flight'; with another code, 'mismatch'.
-- age: seconds since the caller's last request or fallback; channels: how many of them the caller has asked for.
create or replace function reserve_guess_v3(
    p_now timestamptz, p_key int, p_client int, p_id uuid, p_guess uuid, p_idem uuid, p_body uuid, p_settle interval,
    p_codes int, p_keep int, w_kind text[], w_max int[], w_seconds float8[]
) returns table (
    outcome text, status text, remaining int, verified boolean, test boolean, age float8, channels int, sends jsonb
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v verifications;
    g guesses;
    v_now timestamptz;
begin
    if not exists (select from api_keys k where k.id = p_key and k.revoked_at is null) then
        outcome := 'unauthorized';
        return next;
        return;
    end if;
    select * into v from verifications r where r.id = p_id and r.client_id = p_client for update;
    if not found then
        outcome := 'unknown';
        return next;
        return;
    end if;
    perform hold_subjects(array[v.source_budget, v.total_budget]);
    v_now := coalesce(p_now, clock_timestamp());
    select * into g from guesses x where x.idem = p_idem;
    status := effective_status_v2(v, v_now, p_codes, w_kind, w_max, w_seconds);
    remaining := attempts_left_v2(v, v_now, p_codes, w_kind, w_max, w_seconds);
    test := v.test;
    age := extract(epoch from v_now - v.pressed_at);
    channels := cardinality(v.used);
    outcome := case
        when g.verification_id <> p_id or g.body <> p_body then 'mismatch'
        when g.state = 'open' then 'in_flight'
        when g.id is not null then 'replayed'
        when status <> 'pending' then 'closed'
        when remaining = 0 then 'busy'
        else 'reserved'
    end;
    if outcome = 'replayed' then
        verified := g.state = 'right' and g.status = 'verified';
        status := g.status;
        remaining := g.remaining;
    elsif outcome = 'reserved' then
        select greatest(v_now, max(c.hits[1]) + interval '1 microsecond') into v_now
        from counters c where c.subject in (v.source_budget, v.total_budget);
        insert into guesses (id, verification_id, counted_at, settle_at, idem, body)
        values (p_guess, p_id, v_now, v_now + p_settle, p_idem, p_body)
        on conflict (idem) do nothing;
        if found then
            perform count_hits(array[v.source_budget, v.total_budget], p_keep, v_now);
            update verifications r set guesses_open = r.guesses_open + 1 where r.id = p_id;
            sends := sends_of(p_id);
        else -- the same key came with another verification at the same time
            outcome := 'in_flight';
        end if;
    end if;
    return next;
end
$$;

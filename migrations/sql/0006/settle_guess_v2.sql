-- Settle one guess, once: 'right', 'wrong', 'accepted' (the provider's reply was lost, and it holds some guess of this
-- verification as right: this one, unless that is another) or 'returned' (certainly not compared: its place in the
-- budgets is given back). A second call changes nothing and returns what is stored.
-- A right code verifies, unless the caller has canceled. It also clears the number's budgets of this client (but a
-- known source's right code leaves strangers' budgets alone, or strangers would see that there is such a source), and
-- makes its sources known (remember_v2). The first one gives back what the verification took of the limits of address,
-- account and device: its own places, wherever they are in the windows by now.
-- What the caller is told is stored with the guess, for its Idempotency-Key.
create or replace function settle_guess_v2(
    p_now timestamptz, p_guess uuid, p_result text, p_codes int, p_known_for interval,
    w_kind text[], w_max int[], w_seconds float8[]
) returns table (status text, remaining int, verified boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
    v verifications;
    g guesses;
    v_now timestamptz;
    v_before text;
    v_devices uuid[];
begin
    select r.* into v from verifications r
    where r.id = (select x.verification_id from guesses x where x.id = p_guess) for update;
    if not found then return; end if;
    v_before := v.status;
    if p_result in ('right', 'accepted') then
        v_devices := array(select s.device_limit from sends s where s.verification_id = v.id);
        perform hold_subjects(array[v.source_budget, v.total_budget, v.ip_limit, v.account_limit] || v_devices);
    else
        perform hold_subjects(array[v.source_budget, v.total_budget]);
    end if;
    v_now := coalesce(p_now, clock_timestamp());
    select * into g from guesses x where x.id = p_guess;
    if p_result = 'accepted' then
        p_result := case
            when exists (select from guesses x where x.verification_id = v.id and x.state = 'right') then 'wrong'
            else 'right'
        end;
    end if;
    if g.state = 'open' then
        if p_result = 'returned' then
            delete from guesses x where x.id = p_guess;
            update counters c set hits = array_remove(c.hits, g.counted_at)
            where c.subject in (v.source_budget, v.total_budget);
        elsif p_result = 'right' then
            delete from counters c where c.subject in (v.source_budget, v.total_budget);
        end if;
        update verifications r set
            guesses_open = r.guesses_open - 1,
            guesses_wrong = r.guesses_wrong + (p_result = 'wrong')::int
        where r.id = v.id
        returning * into v;
        if p_result <> 'returned' then
            v := close_if_ended_v2(v, p_result, v_now, p_codes, w_kind, w_max, w_seconds);
        end if;
        if p_result = 'right' and v.status = 'verified' then
            perform remember_v2(v, v_now, p_known_for);
            if v_before <> 'verified' then
                perform give_back(array[v.ip_limit], v.ip_places, false);
                perform give_back(array[v.account_limit], array[v.account_place], false);
                perform give_back(array[s.device_limit], array[s.device_place], false)
                from sends s where s.verification_id = v.id and s.device_limit = any (v_devices);
            end if;
        end if;
    end if;
    status := effective_status_v2(v, v_now, p_codes, w_kind, w_max, w_seconds);
    remaining := attempts_left_v2(v, v_now, p_codes, w_kind, w_max, w_seconds);
    if g.state = 'open' and p_result <> 'returned' then
        update guesses x set state = p_result, status = settle_guess_v2.status, remaining = settle_guess_v2.remaining
        where x.id = p_guess
        returning * into g;
    end if;
    verified := status = 'verified' and coalesce(g.state = 'right', false);
    return next;
end
$$;

-- How many guesses a verification has left: the smaller of its own and its number's budgets, or its own alone if an
-- operator has waived lockouts.
create or replace function attempts_left_v2(
    v verifications, p_now timestamptz, p_codes int, w_kind text[], w_max int[], w_seconds float8[]
) returns int language sql stable as $$
    select greatest(0, least(
        p_codes - v.guesses_wrong - v.guesses_open,
        case when 'lockouts' = any (v.lifts) then p_codes
             else budget_left_v2(v.source_budget, v.total_budget, p_now, w_kind, w_max, w_seconds) end
    ))
$$;

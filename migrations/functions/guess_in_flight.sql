-- Whether a guess at this verification, or at another one with the same budget, is being checked: its place in the
-- budget may yet be given back. A known source's guesses are kept apart from strangers', who must not see when it is
-- active.
create or replace function guess_in_flight(v verifications) returns boolean language sql stable as $$
    select v.guesses_open > 0 or exists (
        select from verifications w
        where w.phone_hash = v.phone_hash and w.total_budget = v.total_budget and w.guesses_open > 0
    )
$$;

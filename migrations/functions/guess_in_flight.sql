-- Whether a guess at this verification, or at another one of the same client and number, is being judged: what
-- it took of the budgets may yet be given back.
create or replace function guess_in_flight(v verifications) returns boolean language sql stable as $$
    select v.guesses_open > 0 or exists (
        select from verifications w
        where w.phone_hash = v.phone_hash and w.client_id = v.client_id and w.guesses_open > 0
    )
$$;

-- Note for a client's callbacks how a verification has ended: run by the trigger on its status, so that no way to end
-- one can forget it, a process of the release before included. Where the client has no endpoint, nothing is noted.
-- A lock is dated by when the last code came, not by when its provider had compared it: the caller gets that reply on a
-- step of half a second, because the time of comparing tells a real verification from a decoy. For the same reason it
-- is told on a step: of two seconds, which also hide whether a check waited for its send.
create or replace function note_callback() returns trigger language plpgsql as $$
begin
    insert into callbacks (id, client_id, verification_id, status, at, next_at, attempts)
    select gen_random_uuid(), new.client_id, new.id, new.status, coalesce(g.came, new.closed_at),
           coalesce(
               g.came + interval '2 s' * ceil(greatest(extract(epoch from new.closed_at - g.came), 0.001) / 2),
               new.closed_at
           ), 0
    from callback_endpoints e cross join (
        select max(x.counted_at) as came from guesses x where x.verification_id = new.id and new.status = 'locked'
    ) as g
    where e.client_id = new.client_id;
    return null;
end
$$;

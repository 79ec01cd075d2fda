-- Note for a client's callbacks how a verification has ended: run by the trigger on its status, so that no way to end
-- one can forget it, a process of the release before included. Where the client has no endpoint, nothing is noted.
-- A lock is dated by when the last code came, not by when its provider had compared it: the caller gets that reply on a
-- step of half a second, because the time of comparing tells a real verification from a decoy. For the same reason it
-- is told on a step: its length, in seconds, is the trigger's argument.
create or replace function note_callback() returns trigger language plpgsql as $$
declare
    v_step float8 := tg_argv[0];
    v_came timestamptz;
    v_next timestamptz := new.closed_at;
begin
    if new.status = 'locked' then
        select max(x.counted_at) into v_came from guesses x where x.verification_id = new.id;
        v_next := coalesce(
            v_came + make_interval(secs => v_step * greatest(1, ceil(extract(epoch from new.closed_at - v_came) / v_step))),
            v_next
        );
    end if;
    insert into callbacks (id, client_id, verification_id, status, at, next_at, attempts)
    select gen_random_uuid(), new.client_id, new.id, new.status, coalesce(v_came, new.closed_at), v_next, 0
    from callback_endpoints e where e.client_id = new.client_id;
    return null;
end
$$;

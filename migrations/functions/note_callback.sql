-- (When one was locked is told to the next whole second: the reply to its last code waits for a step too, because how
-- long the provider took to compare it could tell a decoy.)
-- Note for a client's callbacks how a verification has ended: run by the trigger on its status, so that no way to end
-- one can forget it, a process of the release before included. Where the client has no endpoint, nothing is noted.
create or replace function note_callback() returns trigger language plpgsql as $$
declare
    v_at timestamptz := case
        when new.status = 'locked' then to_timestamp(ceil(extract(epoch from new.closed_at))) else new.closed_at
    end;
begin
    insert into callbacks (id, client_id, verification_id, status, at, next_at, attempts)
    select gen_random_uuid(), new.client_id, new.id, new.status, v_at, v_at, 0
    from callback_endpoints e where e.client_id = new.client_id;
    return null;
end
$$;

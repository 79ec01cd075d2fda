-- Note for a client's callbacks how a verification has ended: run by the trigger on its status, so that no way to end
-- one can forget it, a process of the release before included. Where the client has no endpoint, nothing is noted.
create or replace function note_callback() returns trigger language plpgsql as $$
begin
    insert into callbacks (id, client_id, verification_id, status, at, next_at, attempts)
    select gen_random_uuid(), new.client_id, new.id, new.status, new.closed_at, new.closed_at, 0
    from callback_endpoints e where e.client_id = new.client_id;
    return null;
end
$$;

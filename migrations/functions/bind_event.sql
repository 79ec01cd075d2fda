-- Bind a number to a device event of the same client, if the event has a place left of p_numbers; return whether the
-- event is this client's and this number's. The caller must hold the event.
create or replace function bind_event(p_event uuid, p_client_id int, p_phone_hash uuid, p_numbers int) returns boolean
language plpgsql as $$
begin
    update device_events e set more_phones = e.more_phones || p_phone_hash
    where e.event = p_event and e.client_id = p_client_id
      and p_phone_hash <> all (e.phone_hash || e.more_phones)
      and cardinality(e.more_phones) + 1 < p_numbers;
    return (
        select e.client_id = p_client_id and p_phone_hash = any (e.phone_hash || e.more_phones)
        from device_events e where e.event = p_event
    );
end
$$;

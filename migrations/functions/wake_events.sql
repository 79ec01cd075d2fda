-- The provider's ids are being recorded: look again at events that came before them. Recording waits for nobody here:
-- an event that is being looked at just now is found by its second look, half a minute later, and so is one that comes
-- before this is committed.
create or replace function wake_events(p_now timestamptz, p_provider_ids text[]) returns void language sql as $$
    update webhook_events w set look_at = p_now where w.id = any (array(
        select x.id from webhook_events x
        where x.provider_id = any (p_provider_ids) and x.applied_at is null for update skip locked
    ))
$$;

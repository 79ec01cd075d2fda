-- Whether a send is a real provider's: filled where it is recorded. A constant here would be wrong for the rows of processes
-- of the release before, which do not name it, and a generated column would write the whole table anew under a lock that
-- nothing passes. Where it is null, is_real says it.
alter table sends add column real boolean;
-- An id is a provider's own. That first, so that it finds what is asked for without the provider.
create unique index one_holder_at_provider on sends (provider_id, provider) where provider_id is not null;
drop index one_holder;
alter index one_holder_at_provider rename to one_holder;
-- The one provider that processes of the release before know: they do not name it.
alter table webhook_events add column provider text default 'telnyx' not null;
create unique index one_event_of_provider on webhook_events (event_id, event_type, delivery, provider);
drop index one_event;
alter index one_event_of_provider rename to one_event;

create unique index one_event_of_any on webhook_events (event_id, event_type, delivery);
drop index one_event;
alter index one_event_of_any rename to one_event;
alter table webhook_events drop column provider;
create unique index one_holder_of_any on sends (provider_id) where provider_id is not null;
drop index one_holder;
alter index one_holder_of_any rename to one_holder;
alter table sends drop column real;

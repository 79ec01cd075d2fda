alter table webhook_events drop column look_at, drop column unknown_no;
drop sequence unknown_events;
drop index ix_webhook_events_unapplied;
create index ix_webhook_events_unapplied on webhook_events (received_at) where applied_at is null;

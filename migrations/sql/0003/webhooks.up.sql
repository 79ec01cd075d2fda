alter table webhook_events add column look_at timestamptz, add column unknown_no bigint;
-- For processes of the release before, which do not name it.
alter table webhook_events alter column look_at set default now();
create sequence unknown_events;
drop index ix_webhook_events_unapplied;
create index ix_webhook_events_due on webhook_events (look_at) where look_at is not null;
create index ix_webhook_events_unapplied on webhook_events (provider_id) where applied_at is null;
create index ix_webhook_events_unknown on webhook_events (unknown_no) where unknown_no is not null;
update webhook_events w set look_at = w.received_at
where w.applied_at is null and w.received_at > now() - interval '15 minutes'
  and exists (select from sends s where s.provider_id = w.provider_id);

-- The further numbers that an event served. Processes of the release before know the first one alone.
alter table device_events add column more_phones uuid[] default '{}' not null;
-- Which signals the events of a client carry: when one did last, since when and when last one lacked it (null: not since
-- it was carried), and when one had a value that we did not know.
create table device_signals (
    client_id integer not null,
    signal text not null,
    carried_at timestamptz,
    missing_since timestamptz,
    missing_at timestamptz,
    unfamiliar_at timestamptz,
    constraint pk_device_signals primary key (client_id, signal)
);

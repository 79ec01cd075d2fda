-- Where a client's callbacks go. `sealed`: the address and the secrets, under SECRET_KEY. A disabled one gets nothing,
-- and what happens meanwhile is kept for it. `failing_since`: since when nothing has been taken.
create table callback_endpoints (
    client_id integer not null,
    row uuid not null,
    sealed bytea not null,
    host text not null,
    created_at timestamptz not null,
    disabled_at timestamptz,
    disabled_for text,
    failing_since timestamptz,
    constraint pk_callback_endpoints primary key (client_id),
    constraint fk_callback_endpoints_client_id_clients foreign key (client_id) references clients (id)
);
-- What is to be told. `next_at`: when it is tried next, null once it was taken or given up. `at`: when it happened.
create table callbacks (
    id uuid not null,
    client_id integer not null,
    verification_id uuid not null,
    status text not null,
    at timestamptz not null,
    next_at timestamptz,
    attempts integer not null,
    taken_at timestamptz,
    failure text,
    constraint pk_callbacks primary key (id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
create index ix_callbacks_due on callbacks (client_id, next_at) where next_at is not null;
create index ix_callbacks_verification_id on callbacks (verification_id) where next_at is not null;
create index ix_callbacks_at on callbacks (at);
-- A lock is told two seconds after its last code came, or a multiple: within them, a check may wait a second for its
-- send, and then for its provider.
-- Only for the trigger to be made: migrations/functions/note_callback.sql takes its place in the same migration.
create or replace function note_callback() returns trigger language plpgsql as 'begin return null; end';
create trigger note_callback after update of status on verifications
for each row when (old.status is distinct from new.status and new.status <> 'pending') execute function note_callback('2')

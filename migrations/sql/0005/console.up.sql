-- Who is signed in to the console: a keyed hash of the cookie's token, and the key that it stands for. A session ends with
-- its key, by its time, or where somebody signs out.
create table console_sessions (
    token uuid not null,
    key_id integer not null,
    began_at timestamptz not null,
    seen_at timestamptz not null,
    until timestamptz not null,
    constraint pk_console_sessions primary key (token)
);
create index ix_console_sessions_until on console_sessions (until);
-- What the service did, summed by minute, hour and day: of everything, without names, and of hours and days by client,
-- country and channel. The console reads sums, however many verifications there are. `until`: when the row may be deleted.
create table activity (
    span text not null,
    at timestamptz not null,
    client text not null,
    country text not null,
    channel text not null,
    requests integer not null,
    decoys integer not null,
    sends integer not null,
    suppressed integer not null,
    converted integer not null,
    limited integer not null,
    until timestamptz not null,
    constraint pk_activity primary key (span, at, client, country, channel),
    constraint ck_activity_span check (span in ('minute', 'hour', 'day'))
);
create index ix_activity_until on activity (until);
-- Requests that a limit refused, by the minute: nothing else remembers that somebody asked.
create table refusals (
    phone_hash uuid not null,
    client_id integer not null,
    at timestamptz not null,
    count integer not null,
    constraint pk_refusals primary key (phone_hash, client_id, at)
);
create index ix_refusals_at on refusals (at);
-- Backtests that operators started: by which policy, how far they are, and what came of them. `seen_at`: when the process
-- that runs it was last heard of.
create table backtests (
    id uuid not null,
    key_id integer not null,
    policy text not null,
    version text not null,
    since interval,
    began_at timestamptz not null,
    seen_at timestamptz not null,
    ended_at timestamptz,
    share double precision not null,
    changes jsonb,
    error text,
    constraint pk_backtests primary key (id)
);
create index ix_backtests_began_at on backtests (began_at);

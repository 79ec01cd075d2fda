CREATE TABLE histories (
    subject UUID NOT NULL,
    ats TIMESTAMP WITH TIME ZONE[] NOT NULL,
    marks INTEGER[] NOT NULL,
    goods BOOLEAN[] NOT NULL,
    day_sends FLOAT8 NOT NULL,
    day_good FLOAT8 NOT NULL,
    long_sends FLOAT8 NOT NULL,
    long_good FLOAT8 NOT NULL,
    peak FLOAT8 NOT NULL,
    CONSTRAINT pk_histories PRIMARY KEY (subject)
)
 WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE device_events (
    event UUID NOT NULL,
    client_id INTEGER NOT NULL,
    phone_hash UUID NOT NULL,
    first_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_device_events PRIMARY KEY (event)
);
CREATE INDEX ix_device_events_first_used_at ON device_events (first_used_at);
CREATE TABLE blocks (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    subject UUID NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    reason TEXT NOT NULL,
    level SMALLINT NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    lifted_at TIMESTAMP WITH TIME ZONE,
    set_by TEXT NOT NULL,
    CONSTRAINT pk_blocks PRIMARY KEY (id),
    CONSTRAINT ck_blocks_kind CHECK (kind in ('range', 'country', 'ip', 'device'))
);
CREATE INDEX ix_blocks_subject_until ON blocks (subject, until);
CREATE TABLE audits (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    key_id INTEGER,
    action TEXT NOT NULL,
    subject UUID,
    row_id BIGINT,
    reason TEXT,
    CONSTRAINT pk_audits PRIMARY KEY (id),
    CONSTRAINT ck_audits_action CHECK (action in ('search', 'block', 'unblock', 'exempt', 'unexempt', 'erase'))
);
CREATE INDEX ix_audits_subject ON audits (subject) WHERE subject is not null;
ALTER TABLE sends ADD weighed UUID[];
ALTER TABLE sends ADD weighed_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE sends ADD country TEXT;
ALTER TABLE sends ADD booked TEXT;
ALTER TABLE sends ADD price FLOAT8;
ALTER TABLE sends ADD booked_on DATE;
CREATE TABLE ledger (
    day DATE NOT NULL,
    client_id INTEGER NOT NULL,
    country TEXT NOT NULL,
    channel TEXT NOT NULL,
    sends INTEGER NOT NULL,
    spent FLOAT8 NOT NULL,
    stopped INTEGER NOT NULL,
    saved FLOAT8 NOT NULL,
    CONSTRAINT pk_ledger PRIMARY KEY (day, client_id, country, channel)
)
 WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE rounds (
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_rounds PRIMARY KEY (name)
);
CREATE TABLE traffic (
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    sends INTEGER NOT NULL,
    sent INTEGER DEFAULT 0 NOT NULL,
    read INTEGER DEFAULT 0 NOT NULL,
    settled BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_traffic PRIMARY KEY (minute)
);
CREATE TABLE alerts (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_alerts PRIMARY KEY (id)
);
CREATE UNIQUE INDEX one_incident ON alerts (kind) WHERE ended_at is null;
CREATE INDEX ix_blocks_until ON blocks (until);
CREATE TABLE lookups (
    phone_hash UUID NOT NULL,
    kind TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lookups PRIMARY KEY (phone_hash)
);
CREATE INDEX ix_lookups_until ON lookups (until);

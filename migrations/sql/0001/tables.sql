CREATE TABLE clients (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    test BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_clients PRIMARY KEY (id),
    CONSTRAINT uq_clients_name UNIQUE (name)
);
CREATE TABLE counters (
    subject UUID NOT NULL,
    hits TIMESTAMP WITH TIME ZONE[] NOT NULL,
    CONSTRAINT pk_counters PRIMARY KEY (subject)
)
 WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE exemptions (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    phone_hash UUID NOT NULL,
    label TEXT NOT NULL,
    lifts TEXT[] NOT NULL,
    reason TEXT NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    lifted_at TIMESTAMP WITH TIME ZONE,
    set_by TEXT NOT NULL,
    CONSTRAINT pk_exemptions PRIMARY KEY (id)
);
CREATE INDEX ix_exemptions_phone_hash_until ON exemptions (phone_hash, until);
CREATE TABLE guesses (
    id UUID NOT NULL,
    verification_id UUID NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    counted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settle_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT,
    remaining SMALLINT,
    idem UUID,
    CONSTRAINT pk_guesses PRIMARY KEY (id),
    CONSTRAINT ck_guesses_state CHECK (state in ('open', 'right', 'wrong')),
    CONSTRAINT uq_guesses_idem UNIQUE (idem)
)
 WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX ix_guesses_keyed ON guesses (counted_at) WHERE idem is not null;
CREATE INDEX ix_guesses_unsettled ON guesses (settle_at) WHERE state = 'open';
CREATE INDEX ix_guesses_verification_id ON guesses (verification_id);
CREATE TABLE idempotency_keys (
    idem UUID NOT NULL,
    body UUID NOT NULL,
    verification_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    remaining SMALLINT NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (idem)
);
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);
CREATE TABLE sends (
    verification_id UUID NOT NULL,
    ordinal SMALLINT NOT NULL,
    phone_hash UUID NOT NULL,
    channel TEXT NOT NULL,
    cause TEXT NOT NULL,
    state TEXT NOT NULL,
    wanted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    attempts SMALLINT DEFAULT 0 NOT NULL,
    provider TEXT,
    provider_id TEXT,
    error TEXT,
    delivery TEXT,
    delivery_at TIMESTAMP WITH TIME ZONE,
    decision JSONB,
    CONSTRAINT pk_sends PRIMARY KEY (verification_id, ordinal),
    CONSTRAINT ck_sends_channel CHECK (channel in ('sms', 'call', 'flashcall')),
    CONSTRAINT ck_sends_state CHECK (state in ('due', 'begun', 'sent', 'refused', 'in_doubt', 'abandoned')),
    CONSTRAINT ck_sends_cause CHECK (cause in ('request', 'press', 'refused', 'failed', 'waited'))
)
 WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX one_holder ON sends (provider_id) WHERE provider_id is not null;
CREATE UNIQUE INDEX one_in_flight ON sends (phone_hash) WHERE state = 'begun';
CREATE TABLE verifications (
    id UUID NOT NULL,
    client_id INTEGER NOT NULL,
    phone_hash UUID NOT NULL,
    used TEXT[] NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    deliver BOOLEAN NOT NULL,
    test BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    pressed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    guesses_wrong SMALLINT DEFAULT 0 NOT NULL,
    guesses_open SMALLINT DEFAULT 0 NOT NULL,
    phone_limit UUID NOT NULL,
    ip_limit UUID,
    source_budget UUID NOT NULL,
    total_budget UUID NOT NULL,
    sealed BYTEA,
    next_action_at TIMESTAMP WITH TIME ZONE,
    nudged BOOLEAN DEFAULT false NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    lease_token UUID,
    lifts TEXT[],
    CONSTRAINT pk_verifications PRIMARY KEY (id),
    CONSTRAINT ck_verifications_status CHECK (status in ('pending', 'verified', 'locked', 'expired', 'canceled'))
)
 WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX ix_verifications_due ON verifications (next_action_at) WHERE next_action_at is not null;
CREATE INDEX ix_verifications_phone_hash ON verifications (phone_hash);
CREATE TABLE webhook_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    delivery TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_webhook_events PRIMARY KEY (id)
);
CREATE INDEX ix_webhook_events_unapplied ON webhook_events (received_at) WHERE applied_at is null;
CREATE UNIQUE INDEX one_event ON webhook_events (event_id, event_type, delivery);
CREATE TABLE api_keys (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    client_id INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    hint TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT ck_api_keys_scope CHECK (scope in ('verify', 'operator')),
    CONSTRAINT fk_api_keys_client_id FOREIGN KEY(client_id) REFERENCES clients (id),
    CONSTRAINT uq_api_keys_digest UNIQUE (digest)
);
CREATE INDEX ix_api_keys_client_id ON api_keys (client_id);

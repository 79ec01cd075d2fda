CREATE TABLE known_sources (
    source UUID NOT NULL,
    phone_hash UUID NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_known_sources PRIMARY KEY (source)
);
CREATE INDEX ix_known_sources_phone_hash ON known_sources (phone_hash);
CREATE INDEX ix_known_sources_until ON known_sources (until);
ALTER TABLE verifications ADD COLUMN sources UUID[];

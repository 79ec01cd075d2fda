CREATE TABLE withdrawals (
    id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_withdrawals PRIMARY KEY (id)
);
ALTER TABLE idempotency_keys ADD replayed BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE verifications ADD press UUID;
ALTER TABLE verifications ADD before_press TIMESTAMP WITH TIME ZONE[];

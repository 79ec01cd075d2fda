ALTER TABLE verifications DROP before_press;
ALTER TABLE verifications DROP press;
ALTER TABLE idempotency_keys DROP replayed;
DROP TABLE withdrawals;

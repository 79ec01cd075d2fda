delete from idempotency_keys where idem = verification_id;
alter table verifications drop column repeat_key;

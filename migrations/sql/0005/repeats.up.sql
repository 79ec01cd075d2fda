-- By what a second tap is known: the same request from the same source. Rows of the release before have none.
alter table verifications add column repeat_key uuid;

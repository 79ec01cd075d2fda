-- When those of a history's sends were weighed whose delivery failed since. Processes of the release before leave it be.
alter table histories add column failed timestamptz[] default '{}' not null;

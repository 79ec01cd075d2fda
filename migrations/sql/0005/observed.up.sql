-- The period in which a client's rules only observe, as `keys create --observe` set it.
alter table clients add column observed_from timestamptz, add column observed_until timestamptz;

-- The counted times of a subject that were not given back: a code that is entered gives back the place that it took.
-- Null where nothing is given back; processes of the release before write `hits` alone, which always has every time.
alter table counters add column unconverted timestamptz[];
-- Where and when a request, its fallbacks and its sends took such places. Those of the release before have none to give
-- back. `known_source`: under which known source a request counts, if under one.
alter table verifications add column account_limit uuid;
alter table verifications add column account_place timestamptz;
alter table verifications add column ip_places timestamptz[];
alter table verifications add column known_source uuid;
alter table sends add column device_limit uuid;
alter table sends add column device_place timestamptz;

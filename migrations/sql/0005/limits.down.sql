alter table sends drop column device_place;
alter table sends drop column device_limit;
alter table verifications drop column known_source;
alter table verifications drop column ip_places;
alter table verifications drop column account_place;
alter table verifications drop column account_limit;
alter table counters drop column unconverted;

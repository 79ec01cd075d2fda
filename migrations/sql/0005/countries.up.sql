create table country_hours (
    country text not null,
    hour timestamptz not null,
    sends int not null,
    converted int not null,
    constraint pk_country_hours primary key (country, hour)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
create index ix_country_hours_hour on country_hours (hour);

alter table exemptions add column kind text not null default 'number', add column digits smallint;
alter table exemptions add constraint ck_exemptions_kind check (kind in ('number', 'range', 'country'));

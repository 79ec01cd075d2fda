-- Where a verification's request stands in its trace (trace id and span id, 24 bytes), for what is done about it later, in
-- whatever process. Written only where traces are sent to a collector, and only for those that are sampled.
create table traces (
    verification_id uuid not null,
    place bytea not null,
    at timestamptz not null,
    constraint pk_traces primary key (verification_id)
);
create index ix_traces_at on traces (at);

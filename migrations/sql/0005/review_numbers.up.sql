-- A number and a code (hashed) that are fixed for a client until a time: nothing is ever sent to it.
create table review_numbers (
    id integer generated always as identity,
    client text not null,
    phone_hash uuid not null,
    code uuid not null,
    label text not null,
    reason text not null,
    began_at timestamptz not null,
    until timestamptz not null,
    lifted_at timestamptz,
    set_by text not null,
    constraint pk_review_numbers primary key (id)
);
create index ix_review_numbers_phone_hash_until on review_numbers (phone_hash, until);

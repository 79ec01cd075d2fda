-- The secret keys that processes have started with, by a tag that tells nothing of the key, so that a wrong one is noticed:
-- with it every API key is refused, and every limit and block forgotten, without a word.
create table known_keys (
    setting text not null,
    tag bytea not null,
    since timestamptz not null,
    constraint pk_known_keys primary key (setting, tag)
);

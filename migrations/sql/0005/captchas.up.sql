-- What the provider said of a token, under a hash of it with the client and the address that brought it, and the numbers
-- that it served. Kept for as long as a late statement can come; good for two minutes.
create table captcha_verdicts (
    token uuid not null,
    verdict text not null,
    phone_hashes uuid[] not null,
    at timestamptz not null,
    constraint pk_captcha_verdicts primary key (token)
);
create index ix_captcha_verdicts_at on captcha_verdicts (at);

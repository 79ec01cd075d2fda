create table rule_counts (
    at timestamptz not null,
    client text not null,
    country text not null,
    rule text not null,
    mode text not null,
    finding text not null,
    count int not null,
    constraint pk_rule_counts primary key (at, client, country, rule, mode, finding)
);

drop table known_keys;

-- The subjects in which a request may have counted a hit: its number's, its address's and its account's, whether under
-- the account's own name or under that of a known source.
create or replace function counted(v verifications, p_account uuid) returns uuid[] language sql stable as $$
    select array[v.phone_limit, v.ip_limit, p_account]
        || array(select apart(s.source, 'account') from unnest(v.sources) as s(source) where p_account is not null)
$$;

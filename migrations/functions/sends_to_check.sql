-- What a code check needs of a verification's sends. (sends_of has all of them, and reads the decision for it.)
create or replace function sends_to_check(p_id uuid) returns json language plpgsql stable as $$
begin
    return (
        select json_agg(json_build_object('state', s.state, 'provider', s.provider, 'provider_id', s.provider_id))
        from sends s where s.verification_id = p_id
    );
end
$$;

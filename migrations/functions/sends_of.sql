-- The sends of one verification, in order, as the worker and the code check read them.
create or replace function sends_of(p_id uuid) returns jsonb language plpgsql stable as $$
begin
    return (
        select coalesce(jsonb_agg(jsonb_build_object(
            'ordinal', s.ordinal, 'channel', s.channel, 'cause', s.cause, 'state', s.state,
            'wanted_at', s.wanted_at, 'due_at', s.due_at, 'begun_at', s.begun_at, 'ended_at', s.ended_at,
            'attempts', s.attempts, 'allowed', (s.decision ->> 'allow')::boolean,
            'captcha', s.decision #>> '{facts,captcha}', 'by', s.decision ->> 'by',
            'provider', s.provider, 'provider_id', s.provider_id, 'delivery', s.delivery
        ) order by s.ordinal), '[]')
        from sends s where s.verification_id = p_id
    );
end
$$;

-- Take due callbacks, of each client at most so many as this process has room for, and let nobody else try them within
-- the lease. The attempt counts before it is made; its number tells who may say how it ended (finish_callbacks).
-- What a verification became later waits until what it became first was taken or given up.
create or replace function claim_callbacks(p_now timestamptz, p_lease interval, p_client int[], p_room int[])
returns table (id uuid, client_id int, verification_id uuid, status text, at timestamptz, attempts int)
language sql as $$
    with due as (
        select d.id
        from unnest(p_client, p_room) as w(client, room)
        join callback_endpoints e on e.client_id = w.client and e.disabled_at is null
        cross join lateral (
            select c.id from callbacks c
            where c.client_id = w.client and c.next_at <= coalesce(p_now, clock_timestamp())
              and not exists (
                  select from callbacks b
                  where b.verification_id = c.verification_id and b.next_at is not null and b.at < c.at
              )
            order by c.next_at limit w.room
            for update skip locked
        ) as d
    )
    update callbacks c set next_at = coalesce(p_now, clock_timestamp()) + p_lease, attempts = c.attempts + 1
    from due where c.id = due.id
    returning c.id, c.client_id, c.verification_id, c.status, c.at, c.attempts
$$;

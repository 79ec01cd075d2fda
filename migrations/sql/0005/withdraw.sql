-- Take back requests whose callers were answered 503 while nobody knew whether they had been admitted: afterwards none
-- of them exists, none can come to exist, and what they had counted is given back. Returns those for which this is
-- done; the caller asks again for the rest.
-- First the lock of each request's call is taken (p_calls: as in admit): the call is then over, or has not begun and
-- will find the id here.
-- A row on which another reply is based (a replay of its key, which is noted while the lease lasts) is kept, and made
-- due. So is one that another process has begun after the lease: it is too late to take that back, and `late` says so.
-- p_accounts: the limit of the account, if the request counted there and not under the name of a known source.
create or replace function withdraw(
    p_now timestamptz, p_ids uuid[], p_tokens uuid[], p_calls uuid[], p_idems uuid[], p_accounts uuid[]
) returns table (id uuid, late boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_items int[];
    v_item int;
    v_here int[];
    v verifications;
begin
    v_items := array(
        select i.n from unnest(p_calls) with ordinality as i(call, n)
        where i.call is null or pg_try_advisory_xact_lock(uuid_hash_extended(i.call, 0))
    );
    -- Written even if it is there already: the reply must not come before the row it is based on is on the standby.
    insert into withdrawals as w (id, at) select p_ids[i.n], v_now from unnest(v_items) as i(n) order by 1
    on conflict on constraint pk_withdrawals do update set at = excluded.at;
    v_here := array(
        select i.n from unnest(v_items) as i(n) join verifications r on r.id = p_ids[i.n]
    );
    perform hold_subjects(array(
        select h.subject from unnest(v_here) as i(n) join verifications r on r.id = p_ids[i.n]
        cross join lateral unnest(counted(r, p_accounts[i.n]) || r.phone_hash) as h(subject)
    ));
    foreach v_item in array v_items loop
        id := p_ids[v_item];
        late := false;
        if v_item = any (v_here) then
            perform 1 from idempotency_keys k where k.idem = p_idems[v_item] for update;
            select * into v from verifications r where r.id = p_ids[v_item] for update skip locked;
            continue when not found;
            late := exists (
                select from sends s where s.verification_id = v.id
                and (s.state not in ('due', 'begun') or s.begun_at > s.wanted_at)
            );
            if late or exists (
                select from idempotency_keys k where k.idem = p_idems[v_item]
                and (k.replayed or (v.lease_token = p_tokens[v_item]) is not true)
            ) then
                update verifications r set lease_token = null, lease_until = null, next_action_at = v_now
                where r.id = v.id and r.lease_token = p_tokens[v_item];
            else
                delete from sends s where s.verification_id = v.id;
                delete from idempotency_keys k where k.idem = p_idems[v_item];
                delete from verifications r where r.id = v.id;
                -- Its hit is the first one at or after its creation; a later caller's cannot be as near.
                update counters c set hits = without(c.hits, h.place)
                from (
                    select x.subject, count(*)::int as place, min(hit) as hit
                    from counters x cross join unnest(x.hits) as hit
                    where x.subject = any (counted(v, p_accounts[v_item])) and hit >= v.created_at
                    group by x.subject
                ) as h
                where c.subject = h.subject and h.hit < v.created_at + interval '1 millisecond';
            end if;
        end if;
        return next;
    end loop;
end
$$;

-- Take back a fallback whose caller was answered 503 while nobody knew whether it had been made: the verification is as
-- it was before, and its places in the limits are given back. Returns false if its send had been begun already (the
-- process was away for longer than the lease).
create or replace function withdraw_fallback(p_now timestamptz, p_id uuid, p_fallback uuid) returns boolean language plpgsql as $$
declare
    v verifications;
    v_begun boolean;
begin
    perform take_back(p_id, p_fallback);
    select * into v from verifications r where r.id = p_id and r.press = p_fallback;
    if not found then return true; end if;
    v_begun := exists (
        select from sends s where s.verification_id = p_id and s.cause = 'press' and s.wanted_at = v.pressed_at
        and (s.state <> 'due' or s.attempts > 0)
    );
    if v_begun then
        perform release_fallback(p_now, p_id, p_fallback);
        return false;
    end if;
    delete from sends s where s.verification_id = p_id and s.cause = 'press' and s.wanted_at = v.pressed_at;
    perform hold_subjects(array[v.phone_hash, v.ip_limit]);
    update counters c set hits = without(c.hits, h.place)
    from (
        select x.subject, count(*)::int as place, min(hit) as hit
        from counters x cross join unnest(x.hits) as hit
        where x.subject in (v.phone_limit, v.ip_limit) and hit >= v.pressed_at
        group by x.subject
    ) as h
    where c.subject = h.subject and h.hit < v.pressed_at + interval '1 millisecond';
    update verifications r set
        used = r.used[:cardinality(r.used) - 1], pressed_at = v.before_press[1], expires_at = v.before_press[2]
    where r.id = p_id and r.status = 'pending';
    perform release_fallback(p_now, p_id, p_fallback);
    return true;
end
$$;

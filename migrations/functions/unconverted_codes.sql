-- How many codes were sent to a verification's number by other requests to the same client and not entered, if the number
-- has been verified there: since p_since, and since the last code that was entered. For a known source its own count
-- (those of its phone_limit), so that strangers take nothing from it; for a stranger all of them.
create or replace function unconverted_codes(p_id uuid, p_since timestamptz, out recent int, out in_a_row int)
language plpgsql stable as $$
declare
    v verifications;
    v_last timestamptz;
begin
    recent := 0;
    in_a_row := 0;
    select * into v from verifications r where r.id = p_id;
    v_last := (
        select max(r.created_at) from verifications r
        where r.phone_hash = v.phone_hash and r.client_id = v.client_id and r.status = 'verified'
    );
    if v_last is null then return; end if;
    select count(*) filter (where r.created_at > p_since), count(*) filter (where r.created_at > v_last)
    into recent, in_a_row
    from verifications r
    where r.phone_hash = v.phone_hash and r.client_id = v.client_id and r.id <> v.id and r.status <> 'verified'
      and (v.known_source is null or r.phone_limit = v.phone_limit)
      and exists (
          select from sends s
          where s.verification_id = r.id and s.state in ('sent', 'in_doubt') and s.delivery is distinct from 'failed'
            and is_real(s)
      );
end
$$;

-- Make a guess or a fallback whose statement's end is unclear fail if it still comes. This takes the lock of the
-- verification's row, which those statements take before they look here: one that came before is over then, and can be
-- undone.
create or replace function take_back(p_row uuid, p_id uuid) returns void language plpgsql as $$
begin
    perform 1 from verifications r where r.id = p_row for update;
    insert into withdrawals as w (id, at) values (p_id, clock_timestamp())
    on conflict on constraint pk_withdrawals do update set at = excluded.at;
end
$$;

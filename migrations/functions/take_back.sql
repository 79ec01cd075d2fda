-- Have a guess or a press that may yet come to a verification (its statement's end is unclear) fail when it does. Under
-- the row's lock, which those take before they look here: what came before is over then, and can be undone.
create or replace function take_back(p_row uuid, p_id uuid) returns void language plpgsql as $$
begin
    perform 1 from verifications r where r.id = p_row for update;
    insert into withdrawals as w (id, at) values (p_id, clock_timestamp())
    on conflict on constraint pk_withdrawals do update set at = excluded.at;
end
$$;

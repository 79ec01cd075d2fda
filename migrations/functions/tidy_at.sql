-- When a verification that has ended is looked at once more: at once if one of its sends still waits, so that the send
-- is given up and does not stay due for ever; otherwise never. A begun send counts too: a statement that waited for the
-- row while the send was recorded as due still sees what the send was before.
create or replace function tidy_at(p_id uuid, p_now timestamptz) returns timestamptz language plpgsql stable as $$
begin
    return (select p_now where exists (select from sends s where s.verification_id = p_id and s.state in ('due', 'begun')));
end
$$;

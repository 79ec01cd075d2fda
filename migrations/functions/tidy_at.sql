-- When a verification that has ended is looked at once more: at once where a send of it still waits, so that
-- the send is given up and does not stay due for ever; else never. One that was begun counts as well: whoever waited
-- for the row while it was recorded as due still sees what it was before.
create or replace function tidy_at(p_id uuid, p_now timestamptz) returns timestamptz language sql stable as $$
    select p_now where exists (select from sends s where s.verification_id = p_id and s.state in ('due', 'begun'))
$$;

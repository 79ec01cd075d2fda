-- Take what these verifications' sends booked and did not deliver (Telnyx refused it, or it was never made) out of the
-- ledger: from the line of the day on which it was booked, once. Called in the transaction that ends the sends, so that
-- no crash can leave money booked against a budget for a send that reached nobody.
create or replace function refund_sends(p_ids uuid[]) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
    f record;
begin
    for f in
        with unsent as (
            select s.verification_id, s.ordinal, s.country, s.booked, s.price, s.booked_on from sends s
            where s.verification_id = any (p_ids) and s.state in ('refused', 'abandoned') and s.booked_on is not null
            order by s.verification_id, s.ordinal for update
        ), freed as (
            update sends s set price = 0, booked_on = null from unsent u
            where s.verification_id = u.verification_id and s.ordinal = u.ordinal
        )
        select u.booked_on, v.client_id, u.country, u.booked, count(*)::int as sends, sum(u.price) as price
        from unsent u join verifications v on v.id = u.verification_id
        group by 1, 2, 3, 4 order by 1, 2, 3, 4
    loop
        update ledger l set sends = l.sends - f.sends, spent = greatest(0, l.spent - f.price)
        where l.day = f.booked_on and l.client_id = f.client_id and l.country = f.country and l.channel = f.booked;
    end loop;
end
$$;

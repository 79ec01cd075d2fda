-- A send that was booked and went to nobody (Telnyx refused it, or it could not be made in time) costs nothing.
create or replace function refund(p_id uuid, p_ordinal int) returns void language sql as $$
    with free as (
        update sends s set price = 0, booked_on = null
        from (select verification_id, ordinal, price, booked_on from sends
              where verification_id = p_id and ordinal = p_ordinal and booked_on is not null for update) as was,
             verifications v
        where s.verification_id = was.verification_id and s.ordinal = was.ordinal and v.id = was.verification_id
        returning v.client_id, s.country, s.booked, was.booked_on, was.price
    )
    update ledger l set sends = l.sends - 1, spent = greatest(0, l.spent - f.price)
    from free f
    where l.day = f.booked_on and l.client_id = f.client_id
      and l.country = f.country and l.channel = f.booked
$$;

-- Lock subjects until the end of the transaction, always in one order: two callers that took them in different orders
-- would deadlock. The locks belong to the transaction, which PgBouncer keeps whole. Two subjects whose 64 bits collide
-- only wait for each other. What callers wait for reads from `holding` itself, which does it.
create or replace function hold_subjects(p_subjects uuid[]) returns void language plpgsql as $$
begin
    perform from holding(p_subjects);
end
$$;

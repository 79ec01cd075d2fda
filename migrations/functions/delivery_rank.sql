-- The order in which a delivery may move: a later word is the better evidence.
create or replace function delivery_rank(p_delivery text) returns int language sql immutable as $$
    select coalesce(array_position(array['sent', 'unconfirmed', 'failed', 'delivered'], p_delivery), 0)
$$;

-- As what a client's request for a number is marked, where the number is a review number of this client: 'review:' and
-- its id. Null for all others. A stranger's is not found: for their own requests the number is like any other.
create or replace function review_of(p_client int, p_phone uuid, p_now timestamptz) returns text[]
language plpgsql stable as $$
begin
    return (
        select array['review:' || max(r.id)]
        from review_numbers r join clients c on c.name = r.client
        where r.phone_hash = p_phone and c.id = p_client and r.until > p_now and r.lifted_at is null
        having count(*) > 0
    );
end
$$;

-- Which of these items a budget of the day refuses (`refused_by`), though none of those before it was sent, and which it
-- may refuse if all of those are (`waits`). The caller holds what it books.
create or replace function budgets_left(
    p_day date, p_since timestamptz, p_item int[], m_item int[], m_country text[], m_price float8[],
    m_of_country float8[], m_of_all float8[], m_most_unconverted float8[], m_worth float8[]
) returns table (item int, refused_by text, waits boolean)
language sql stable as $$
    with asked as (
        select m.*, sum(m.price) over (order by m.item) as with_all,
               sum(m.price) over (partition by m.country order by m.item) as with_country,
               count(*) over (partition by m.country order by m.item) as with_sends
        from unnest(m_item, m_country, m_price, m_of_country, m_of_all, m_most_unconverted, m_worth)
            as m(item, country, price, of_country, of_all, most_unconverted, worth)
        where m.item = any (p_item)
    ), spent as (
        select a.*,
               (select coalesce(sum(l.spent), 0) from ledger l where l.day = p_day and a.of_all is not null) as of_day,
               (select coalesce(sum(l.spent), 0) from ledger l
                where l.day = p_day and l.country = a.country and a.of_country is not null) as in_country,
               h.sends, h.converted
        from asked a
        left join lateral (
            select coalesce(sum(x.sends), 0) as sends, coalesce(sum(x.converted), 0) as converted
            from country_hours x where x.country = a.country and x.hour >= p_since and a.most_unconverted is not null
        ) as h on true
    )
    -- A budget of 0.3 pays for three times 0.1, though their sum as floats is a little more.
    select s.item,
           case
               when s.of_day + s.price > s.of_all * (1 + 1e-9) then 'budget'
               when s.in_country + s.price > s.of_country * (1 + 1e-9) then 'budget_country'
               when s.sends + 1 - s.worth * s.converted > s.most_unconverted then 'budget_unconverted'
           end,
           coalesce(s.of_day + s.with_all > s.of_all * (1 + 1e-9), false)
               or coalesce(s.in_country + s.with_country > s.of_country * (1 + 1e-9), false)
               or coalesce(s.sends + s.with_sends - s.worth * s.converted > s.most_unconverted, false)
    from spent s
$$;

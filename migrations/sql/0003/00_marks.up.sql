-- A number's place in its range stood in clear in decisions and histories: in a country of short numbers, nearly the
-- number itself. Decisions keep how far others are from it; the ranges' histories begin anew.
update sends s set decision = jsonb_set(s.decision, '{facts,histories}', (
    select jsonb_object_agg(h.key, case when r.size is null then h.value else jsonb_set(h.value, '{1}', (
        select coalesce(jsonb_agg(((m.mark::int - (h.value -> 1 ->> 0)::int) % r.size + r.size) % r.size order by m.n), '[]')
        from jsonb_array_elements_text(h.value -> 1) with ordinality as m(mark, n)
    )) end)
    from jsonb_each(s.decision -> 'facts' -> 'histories') as h
    left join (values ('block_10k', 10000), ('block_100k', 100000), ('block_1m', 1000000)) as r(kind, size)
        on r.kind = h.key
))
where s.decision -> 'facts' -> 'histories' ?| array['block_10k', 'block_100k', 'block_1m'];
-- Every other history's marks begin with a calling code or a hash, above these.
delete from histories where 1000000 > all (marks);

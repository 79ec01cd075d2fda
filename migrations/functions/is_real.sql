-- Whether a send is made by a real provider, and not by a stand-in that reaches nobody. Processes of earlier releases,
-- and their rows, say so only by the stand-in's name: no provider may ever have these two names.
create or replace function is_real(s sends) returns boolean language sql immutable as $$
    select coalesce(s.real, s.provider not in ('silent', 'rehearsal'), false)
$$;

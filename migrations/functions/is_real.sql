-- Whether a send was a real provider's to make, and not a stand-in's that nobody is reached by. Processes of releases before
-- say by the stand-in's name alone, and so do their rows: two names that no provider may have.
create or replace function is_real(s sends) returns boolean language sql immutable as $$
    select coalesce(s.real, s.provider not in ('silent', 'rehearsal'), false)
$$;

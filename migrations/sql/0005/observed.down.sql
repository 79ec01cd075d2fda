alter table clients drop column observed_from, drop column observed_until;

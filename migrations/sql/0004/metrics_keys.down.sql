-- The release before knows no such keys, and would take them for a product's.
delete from api_keys where scope = 'metrics';
alter table api_keys drop constraint ck_api_keys_scope;
alter table api_keys add constraint ck_api_keys_scope check (scope in ('verify', 'operator'));

alter table api_keys drop constraint ck_api_keys_scope;
alter table api_keys add constraint ck_api_keys_scope check (scope in ('verify', 'operator', 'metrics'));

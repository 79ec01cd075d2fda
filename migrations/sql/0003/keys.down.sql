delete from audits where action in ('create_key', 'revoke_key');
alter table audits drop constraint ck_audits_action;
alter table audits add constraint ck_audits_action check (
    action in ('search', 'block', 'unblock', 'exempt', 'unexempt', 'erase')
);
alter table api_keys drop column last_used_at, drop column ends_at;

alter table api_keys add column last_used_at timestamptz, add column ends_at timestamptz;
alter table audits drop constraint ck_audits_action;
alter table audits add constraint ck_audits_action check (
    action in ('search', 'block', 'unblock', 'exempt', 'unexempt', 'erase', 'create_key', 'revoke_key')
) not valid;
alter table audits validate constraint ck_audits_action;

delete from audits
where action not in ('search', 'block', 'unblock', 'exempt', 'unexempt', 'erase', 'create_key', 'revoke_key');
alter table audits add constraint ck_audits_action check (
    action in ('search', 'block', 'unblock', 'exempt', 'unexempt', 'erase', 'create_key', 'revoke_key')
);

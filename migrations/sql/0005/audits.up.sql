-- What may be audited is declared where it is done: a list here would have to be changed with each new act.
alter table audits drop constraint ck_audits_action;

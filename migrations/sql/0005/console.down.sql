drop table backtests;
drop table refusals;
drop table activity;
drop table console_sessions;

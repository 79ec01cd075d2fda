drop table device_signals;
alter table device_events drop column more_phones;

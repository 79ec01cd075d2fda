alter table histories drop column failed;

-- What was taken out of decisions and histories is nowhere to be taken back from.
select 1;

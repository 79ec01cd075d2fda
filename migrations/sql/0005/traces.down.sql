drop table traces;

drop table rule_counts;

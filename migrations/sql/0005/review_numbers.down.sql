drop table review_numbers;

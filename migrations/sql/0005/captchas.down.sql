drop table captcha_verdicts;

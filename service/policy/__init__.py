"""The policy file: what it may say, how it is read and written out. Read by every package above; decides nothing."""

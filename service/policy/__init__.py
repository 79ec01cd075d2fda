"""The policy file: what it may say, how it is read and written out. Called by every package above; decides nothing."""

"""The processes that serve or only send: what each needs from its machine, checks at its start, and runs."""

"""The rules, small pure functions from facts to an objection. Called by fraud.decision; no I/O."""

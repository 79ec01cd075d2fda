"""One send, from the decision to the record. Called by admission and worker.leases."""

"""Whether this deployment and its Verify profiles are fit for production: facts are gathered, then judged."""

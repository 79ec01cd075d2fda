"""The commands on the policy. Called by cli, by name."""

"""The command that runs everything on this machine, and what it keeps there. Called by cli, by name."""

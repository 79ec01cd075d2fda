"""What operators set for a while over what the rules say. Called by api and cli."""

"""What operators see and do. Called by api and cli; never on the path of a product's request."""

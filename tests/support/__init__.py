"""What tests share: servers on loopback, and whatever else is no promise in itself."""

"""What a serving process needs from its machine: descriptors, event loop, ports, and its start-up checks."""

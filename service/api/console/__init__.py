"""The operators' console: pages at /operator, made on the server. They call what the operator API calls."""

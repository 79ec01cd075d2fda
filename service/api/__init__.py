"""HTTP: the only package that knows it. Calls verification; never touches the database itself."""

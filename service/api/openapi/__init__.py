"""The OpenAPI file and the page that shows it."""

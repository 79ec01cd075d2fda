"""What is asked about a request before it is decided: device event, captcha, line type."""

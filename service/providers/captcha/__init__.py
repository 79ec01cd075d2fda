"""Captcha vendors. Called by fraud.gathering."""

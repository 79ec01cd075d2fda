"""The stand-in for Telnyx."""

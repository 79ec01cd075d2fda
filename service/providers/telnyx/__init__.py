"""Everything that knows Telnyx: its calls, answers, errors and webhooks."""

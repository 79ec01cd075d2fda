"""What happens after the reply: dispatch, settling, webhooks, retention, alarms. Started by app."""

"""What happens after the answer: dispatch, settling, webhooks, retention. Started by app and cli."""

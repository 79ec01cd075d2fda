"""What the database holds of verifications: the hot statements, their rows, and what follows an answer."""

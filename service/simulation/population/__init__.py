"""Who and what traces are drawn from: people, countries, numbers, addresses, chance."""

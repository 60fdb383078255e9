"""The book of prices: what a kWh cost at an instant, and what was known of that at another."""

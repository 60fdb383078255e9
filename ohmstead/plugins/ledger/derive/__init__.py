"""Energy of slots, derived from readings: pure functions, exact in integers."""

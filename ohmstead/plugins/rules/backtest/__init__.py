"""Rules run against what was recorded, by the code that runs them live."""

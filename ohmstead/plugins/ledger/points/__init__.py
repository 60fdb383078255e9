"""Meter points: which there are, and what measures them from when to when."""

"""Alerts: rules that watch the house, and the life of what they raise, from triggered to resolved."""

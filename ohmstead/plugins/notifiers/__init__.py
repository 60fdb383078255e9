"""Notices that reach people: an outbox in the database, a sender, channels, and the log of what arrived."""

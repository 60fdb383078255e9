"""The ways to reach people that come with Ohmstead."""

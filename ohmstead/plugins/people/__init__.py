"""Who is told: people, their roles, where to reach them and when."""

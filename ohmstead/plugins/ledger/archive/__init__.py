"""Raw readings that left the database: archived first, their intervals sealed, and read back when they are needed."""

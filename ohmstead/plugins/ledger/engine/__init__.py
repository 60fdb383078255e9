"""From marks to stored slots: tracks derived, layers laid over them, rollups kept; read back, and checked."""

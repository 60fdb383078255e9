"""The devices of the house and where they stand: registry, locations, secrets, status, commands."""

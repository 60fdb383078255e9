"""What happened in the house and who did it: an append-only log in which every entry seals all before it."""

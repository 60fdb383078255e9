"""What people change of the past: numbered, reasoned, signed, previewed, undoable."""

"""What utilities and people state of a meter point: numbered, previewed, committed whole."""

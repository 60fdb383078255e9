"""What rules watch: each source turns what happens in the house into facts about the subjects of its rules."""

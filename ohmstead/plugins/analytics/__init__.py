"""Views of several meter points at once: green energy, comparison of periods."""

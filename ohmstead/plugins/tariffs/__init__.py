"""What energy costs: pure price models, and the book of dynamic prices."""

"""The hub's watch on itself: what is wrong with it is noticed, told and, once it is over, told again."""

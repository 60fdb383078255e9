"""Reading back: live states, history, questions over it, and what was refused."""

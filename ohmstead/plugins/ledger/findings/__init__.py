"""The data-quality inbox: what the data contradicts, how large it is, and what would mend it."""

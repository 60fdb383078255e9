"""Measures Ohmstead beside the limit of the machine, or a peer, in the same run: `make bench`."""

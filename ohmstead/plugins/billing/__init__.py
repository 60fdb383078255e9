"""Every cent: contracts, bills, and the check of a supplier's invoice."""

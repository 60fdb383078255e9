"""The check of a supplier's invoice: what was billed against what the ledger and the tariff say, and why they differ."""

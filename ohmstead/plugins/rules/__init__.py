"""Rules: what readings, prices, devices and the ledger must come to for somebody to be told or something to be done."""

"""The roof: the YAML with its errors, the only place where the house is put together, reload, and the command line."""

"""Automations: when something happens, and conditions hold, something is done. Stated in YAML or made over the API."""

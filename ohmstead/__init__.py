"""Ohmstead: a self-hosted energy hub that proves every kWh and every cent."""

__version__ = "0.1.0"

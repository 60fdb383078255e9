"""How the hub speaks: one file per transport, and the Context through which integrations use them."""

from ohmstead.plugins.protocols.context import Context, Protocols

__all__ = ["Context", "Protocols"]

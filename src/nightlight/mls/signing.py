"""Ed25519 keys that sign under a label; their private halves stay in Rust and are wiped when dropped.

Source: RFC 9420 section 5.1.2 "Signing".
"""

from nightlight_mls import SigningKey

__all__ = ["SigningKey"]

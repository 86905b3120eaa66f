"""Verifying a person (safety number) and a message (frank)."""

"""Frozen records that are hashed, signed or exported."""

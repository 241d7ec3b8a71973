"""The Catena service."""

"""The way in: from bytes to a sealed, logged item."""

"""Private keys: who may sign, and how keys rest on disk."""

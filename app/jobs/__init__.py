"""Durable background work: enqueued in the transaction that makes it needed, done once."""

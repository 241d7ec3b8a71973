"""Trusted time: RFC 3161 tokens over checkpoints and seals, asked for until they are there."""

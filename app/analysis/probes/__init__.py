"""Readers of one format each: bytes in, plain values out; what the values mean is decided elsewhere."""

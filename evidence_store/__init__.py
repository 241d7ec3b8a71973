"""The integrity core: what an opposing expert reads to decide whether to trust the archive.

No web framework, no SQL engine, no clock of its own.
"""

"""Is it, or a part of it, already here?"""

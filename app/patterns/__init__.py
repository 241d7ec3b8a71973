"""Counts under a stated rule, frozen releases of them, and incidents as shapes, timelines and pictures."""

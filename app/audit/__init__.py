"""The whole archive, checked: log, rows, blobs, seals, keys and pending work."""

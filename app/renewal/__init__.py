"""Renewal: the history of the log under a stronger hash and a fresh time stamp (RFC 4998)."""

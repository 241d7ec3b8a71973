"""Time stamps (RFC 3161): asking for one, and judging one without any network."""

"""Witnesses: co-signatures of others over this log's checkpoints (C2SP tlog-witness)."""

"""The custody log: RFC 6962 tree, C2SP checkpoints, proofs and tiles."""

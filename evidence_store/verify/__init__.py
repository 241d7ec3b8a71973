"""The offline verifier: no archive, no database, no network, no private keys."""

"""Users, tokens, roles and case membership: who may do what."""

"""Published contracts: everything that is hashed, signed or exported."""

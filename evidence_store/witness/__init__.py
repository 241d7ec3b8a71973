"""A witness of transparency logs (C2SP tlog-witness): requests, the decision, and what was signed. No network."""

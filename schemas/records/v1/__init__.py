"""Version 1 of the records; never edited after release."""

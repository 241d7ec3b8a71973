"""The only door through which an event enters the custody log, reads included."""

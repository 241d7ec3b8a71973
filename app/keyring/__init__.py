"""The archive's keys over time: introduced, retired, compromised; each change is an event of the log."""

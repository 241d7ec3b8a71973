"""The command line: `catena`."""

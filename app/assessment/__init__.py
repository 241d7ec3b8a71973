"""Incident x provision x element: what speaks for and against, where it stands, and which standard is reached."""

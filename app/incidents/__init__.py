"""Incidents and what belongs to them: versions that are never lost, claims that coexist."""

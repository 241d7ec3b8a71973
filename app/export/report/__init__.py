"""The report for people: a pure function of what a bundle holds, as one HTML page and as PDF."""

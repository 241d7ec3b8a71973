"""To whom what may go: restrictions, withheld parts with commitments, redacted copies, what speaks against."""

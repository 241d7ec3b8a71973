"""Where and when a picture was taken and what goes with what: worked out by one, signed off by a second person."""

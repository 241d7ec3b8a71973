"""Four eyes: a second person decides on what a first one stated, and dissent is kept."""

"""The way in for partners' bundles: checked first, kept as they are, what they say shown as theirs."""

"""The way out: choose, record, build one signed bundle, publish it whole or not at all."""

"""Checkpoints read the same texts, and their distributions are compared."""

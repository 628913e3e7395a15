"""Stored runs: find, compare, regrade, export."""

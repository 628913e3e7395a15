"""Judging in parallel processes with limits and deadlines."""

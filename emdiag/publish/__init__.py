"""Finds the runs, checkpoints and sessions behind a result, and writes its page."""

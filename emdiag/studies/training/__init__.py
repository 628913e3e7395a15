"""Prompts to train on, and trained seeds."""

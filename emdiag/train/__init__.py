"""Produces checkpoints: entropy minimisation here, reinforcement learning by TRL."""

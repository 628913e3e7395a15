"""Entropy minimisation: plan, recipes, loss, loop."""

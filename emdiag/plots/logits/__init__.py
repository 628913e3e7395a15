"""Figures of a study of logits."""

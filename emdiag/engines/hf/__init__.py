"""Samples and reads logits with transformers."""

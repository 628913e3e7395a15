"""A study of logits as words, numbers and tables."""

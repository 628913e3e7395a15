"""From a reference to weights and a tokenizer that are safe to use."""

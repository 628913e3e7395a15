"""Samples with vLLM in process."""

"""Checkpoints x benchmarks: draw, grade, score."""

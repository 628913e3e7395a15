"""A completion to the shape of its final answer; nothing is evaluated."""

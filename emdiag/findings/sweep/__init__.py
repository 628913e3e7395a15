"""A temperature sweep as words, numbers and tables."""

"""Figures of a temperature sweep."""

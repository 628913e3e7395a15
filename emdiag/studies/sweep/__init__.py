"""Accuracy over ways of sampling, with an entropy-matched baseline."""

"""Reinforcement learning by TRL with the grader as its reward."""

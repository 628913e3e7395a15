"""Samples from a server with an OpenAI API."""

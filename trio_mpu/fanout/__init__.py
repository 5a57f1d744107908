"""Newest samples → every subscriber, waiting for none."""

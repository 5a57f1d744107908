"""Measuring a sensor's errors, keeping them in a file, and correcting samples by them."""

"""Measures a sensor's errors, saves them in a file, and corrects samples with them."""

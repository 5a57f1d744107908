"""Starts programs, starts again those that end, and stops them all; loads nothing large."""

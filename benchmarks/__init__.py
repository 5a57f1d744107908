"""Measurements of this server beside others; README.md says how each is made."""

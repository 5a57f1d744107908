"""The past: ring and store as one, and what can be made of its samples."""

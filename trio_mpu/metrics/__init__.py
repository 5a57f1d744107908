"""Counters: what is counted, what all workers share, and how it is shown."""

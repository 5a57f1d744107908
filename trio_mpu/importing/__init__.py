"""Logs of other programs, turned into recordings of ours. Nothing is guessed."""

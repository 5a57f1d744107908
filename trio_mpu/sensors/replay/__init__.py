"""Recordings, played back."""

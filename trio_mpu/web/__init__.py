"""Requests → answers: the table of endpoints and everything behind it."""

"""Rates and accelerations → how the sensor lies in the room."""

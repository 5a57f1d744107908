"""Device → ring: sampling on time, publishing when the ring is free."""

"""The shared segment: its bytes, its semaphore, its doorbell."""

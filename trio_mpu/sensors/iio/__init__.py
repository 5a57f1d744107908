"""A sensor behind the kernel's IIO driver."""

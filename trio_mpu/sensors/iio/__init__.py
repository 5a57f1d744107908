"""A sensor read through the kernel's IIO driver."""

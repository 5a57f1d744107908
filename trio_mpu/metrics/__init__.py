"""What is counted, where all workers see it, and how it is shown."""

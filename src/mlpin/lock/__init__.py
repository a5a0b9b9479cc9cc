"""Lock files: what stands in one, reading and writing, what a new one changes."""

"""The search: what a target sees of the catalog, resolvelib over it, and a complete check."""

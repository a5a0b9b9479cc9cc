"""Indexes: pages, files, metadata, the cache, and the catalog that puts them together."""

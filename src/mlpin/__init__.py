"""Resolve and lock the dependencies of machine-learning projects for the hardware they run on."""

__version__ = "0.1.0"

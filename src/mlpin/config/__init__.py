"""Layers of settings, one module for each family of places where they are written.

`mlpin.settings_files` is the door: nothing outside imports these modules by name.
"""

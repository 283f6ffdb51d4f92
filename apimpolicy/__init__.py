"""The API Management policy language as a pure library: documents, expressions, lint.

This package does no I/O, has no clock of its own and imports nothing else of this project. Time and
randomness enter through the evaluation context; surroundings (which fragments, backends and named values exist) are
passed in as data.
"""

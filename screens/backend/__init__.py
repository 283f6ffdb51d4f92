"""One backend: its history, its rules, its routes, and where each figure comes from."""

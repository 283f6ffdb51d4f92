"""Draining and restoring from the screens: the plan, what happens, what observed traffic says."""

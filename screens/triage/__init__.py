"""Triage: what is wrong, its evidence on one time axis, who asks most, and what to do about it."""

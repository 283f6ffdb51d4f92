"""Pieces that several screens share. Attributes go down, messages come up; none knows a store."""

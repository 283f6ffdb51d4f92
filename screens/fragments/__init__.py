"""Fragments and policies from the screens: both sides, what differs, a rehearsal, a deployment and the way back."""

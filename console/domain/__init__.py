"""The nouns of a GenAI gateway and the pure rules about them.

Frozen dataclasses and functions of them, standard library only: no I/O, no clock, nothing of Azure's wire.
"""

"""The terminal screens: everything an operator sees and presses.

Textual only. Screens read snapshots and ask the engine for what they want; they do no I/O against Azure, hold no
credentials and decide nothing about health: thresholds and rules live in `console.domain`.
"""

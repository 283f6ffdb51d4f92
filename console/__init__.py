"""The operator's engine: profile, Azure adapter, feeds, store, domain, operations, command line.

Headless. It never imports textual; the command line alone knows the screens and the simulator, and imports both late.
"""

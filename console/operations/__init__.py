"""Commands that change a gateway: a pure `plan_*`, guards, and an `execute_*` that journals, writes and verifies.

Screens and the command line call the same functions. Nothing here draws, and nothing here is written without a plan.
"""

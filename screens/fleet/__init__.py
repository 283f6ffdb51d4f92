"""The fleet: every backend of the gateway in one table, worst news first."""

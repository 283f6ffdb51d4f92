"""Commands, one file each: they parse arguments, call the engine or an operation, and print. No rules live here."""

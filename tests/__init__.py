"""The tests, one folder per layer: each says what an operator relies on."""

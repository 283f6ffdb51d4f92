"""Boxes over a screen: help, the command prompt, a question before something is done."""

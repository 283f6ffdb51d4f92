"""Drain and restore: take a backend out of traffic while it stays configured, prove it, and put it back.

`record` is what stands on the gateway while a drain lasts, `plan` and `predict` are pure, `execute` and `restore`
write, `prove` watches traffic, `examine` tells what any console finds when it starts.
"""

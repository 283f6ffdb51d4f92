"""Feeds: each keeps one part of the observations fresh, and none makes a screen wait. One file per feed.

A feed fetches and says what to replace; the poller decides when, how long, and what a failure means.
"""

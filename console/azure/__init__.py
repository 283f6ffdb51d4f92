"""The one adapter to Azure, on Microsoft's own clients: fetches, parses to the domain, and decides nothing.

Importing this package imports no Microsoft client: they are slow to load, and the first paint does not wait for them.
"""

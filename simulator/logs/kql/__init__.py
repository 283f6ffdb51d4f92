"""KQL on DuckDB: what the translator library does not do itself, and Kusto's words for what is wrong.

Text in, SQL and typed rows out. Knows no HTTP and no telemetry.
"""

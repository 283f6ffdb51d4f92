"""Architecture and promises as failing tests."""

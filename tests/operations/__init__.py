"""Commands that write: what they leave behind whatever happens in between."""

"""Azure Resource Manager: the resources themselves, and the generic rules every provider shares."""

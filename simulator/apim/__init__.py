"""API Management over Resource Manager: the service and its children, as api-version 2024-05-01 describes them."""

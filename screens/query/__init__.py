"""The query screen: KQL over the gateway's logs."""

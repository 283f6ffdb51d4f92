"""An Azure on loopback: Resource Manager, API Management, Azure OpenAI, Monitor and Logs over HTTP.

Its one law: faults are injected in the data plane and observed only through Azure's own APIs. Nobody sets
a 429 rate; callers send requests, the gateway runs its policies, a model's bucket refuses, a log row is
written, ingestion lags, and whoever asks sees it late. This package imports the policy language and nothing
else of the project: code shared with the console would share its bugs.
"""

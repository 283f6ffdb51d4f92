"""Microsoft.Resources/deployments: templates evaluated, resources written one by one, what-if told before.

Everything a deployment creates goes through the same write path as an HTTP PUT, so what a template may not do an
operator may not do either, and the gateway sees no difference.
"""

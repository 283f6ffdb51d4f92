"""The guided first deployment: checks, parameters, template, what-if, deployment, proof, hand-over.

Headless: the screen and the command line do the same through `flow`. A deployment is known by its name, which follows
from username and location; so nothing is started twice, and anybody who knows the name can watch.
"""

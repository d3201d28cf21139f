"""One file per verb: permission, row and audit in one short transaction.

A flow takes a keyword-only ``actor``, knows neither HTTP nor Celery, and returns what its caller
needs to answer and whose bell to ring.
"""

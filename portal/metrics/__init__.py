"""What monitors are told: right over all processes and hosts, and after restarts.

Everything stands in the database, so that whichever web process is asked says the same
(docs/decisions/0050). portal.metrics.history counts what the audit log tells, portal.metrics.aws
what processes have seen of AWS, and portal.metrics.exposition puts it into Prometheus' format.
"""

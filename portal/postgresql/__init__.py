"""Django's backend for PostgreSQL, with a pool that notices what happens to the server.

Named as ENGINE in the settings (docs/decisions/0016-a-pool-of-our-own.md).
"""

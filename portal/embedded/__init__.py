"""The embedded default: the whole product on one machine (``make run``)."""

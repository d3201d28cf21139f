"""What the portal reads out of its audit log: for pages, charts and exports.

Nothing here asks who reads: ``portal.policy`` has decided before.
"""

"""The web process itself: how requests come in before Django sees them."""

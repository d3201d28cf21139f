"""How the tables came to be. Each is harmless to the version before it, which serves beside it."""

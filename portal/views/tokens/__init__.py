"""Pages and actions of one token, and of one's own."""

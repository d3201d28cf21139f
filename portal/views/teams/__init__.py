"""A team's desk, and what is done from there to many tokens at once."""

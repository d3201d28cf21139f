"""AMG's own lists of tokens beside ours: what differs, and what is done about it."""

"""What operators type: one command a file. Each asks flows and tools, and prints."""

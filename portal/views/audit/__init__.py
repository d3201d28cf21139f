"""The auditor's pages: the log with its charts, an event, a token's story, exports, find by key."""

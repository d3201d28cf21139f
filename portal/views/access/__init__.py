"""Who may request what and who has what: the pages, their reviews and plans."""

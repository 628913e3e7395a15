"""Every claim of the ledger against what is stored; nothing is drawn."""

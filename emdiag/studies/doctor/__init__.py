"""What runs here, how a checkpoint is read, and whether engines agree on it."""

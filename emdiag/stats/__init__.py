"""Arrays in, small records out; numpy and scipy only."""

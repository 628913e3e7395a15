"""A package outside emdiag: two metrics for `emdiag eval --metric answer_lengths.metrics:NAME`."""

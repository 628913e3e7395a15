"""Every result as words, numbers and tables, once; whatever shows a result shows these."""

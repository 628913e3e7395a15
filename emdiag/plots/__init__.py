"""Result records to figures; draws, never computes."""

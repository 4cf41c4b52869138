"""Concurrent learning: train a committee, explore with it, label where it disagrees, repeat."""

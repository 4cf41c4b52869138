"""Numbers that must stay: pins, their evidence, and the table beside those of others."""

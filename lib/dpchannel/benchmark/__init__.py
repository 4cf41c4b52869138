"""A potential at work: what it gives, compared with its teacher and with nature."""

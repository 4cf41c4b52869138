"""From a crystal with a mobile ion to a tested deep potential and its transport numbers."""

__version__ = "0.1.0"

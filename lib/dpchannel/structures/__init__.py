"""Crystal, supercells, channel occupancy, classification of atoms, and lengths measured on them."""

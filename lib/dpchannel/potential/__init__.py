"""Deep potentials: train, freeze, compress, test, describe."""

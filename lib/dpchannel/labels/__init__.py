"""Labels: engines that give energy, forces and virial, the gate, and data sets."""

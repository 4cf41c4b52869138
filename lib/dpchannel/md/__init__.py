"""Molecular dynamics: run LAMMPS, survive interruption, hand on a checked trajectory."""

"""One module per figure; each reads a result file and its sidecar, nothing else."""

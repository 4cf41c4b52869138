"""Make targets as jobs of a cluster: one for each missing result, made there by the same Make."""

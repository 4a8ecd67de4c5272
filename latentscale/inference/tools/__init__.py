"""What several methods use: compiled densities, regressions, progress, versions."""

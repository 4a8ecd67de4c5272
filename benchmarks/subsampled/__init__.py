"""NUTS on a subsample, with all other lineages conditioned on it, against NUTS on the
whole table."""

"""NUTS on a subsample, all other lineages conditioned, beside NUTS on the whole table."""

"""Partitioned inference beside NUTS, and on tables of thousands of models."""

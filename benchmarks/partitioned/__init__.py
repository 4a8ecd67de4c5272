"""Partitioned inference compared with NUTS, and on tables of thousands of models."""

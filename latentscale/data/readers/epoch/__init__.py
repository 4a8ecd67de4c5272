"""Epoch AI's benchmarking hub: `read.py` calls the others."""

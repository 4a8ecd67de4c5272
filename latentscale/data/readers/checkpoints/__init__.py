"""Tables of training checkpoints: `read.py` calls the others."""

"""Commands written by hand; those of all other verbs follow from their functions (`derive.py`)."""

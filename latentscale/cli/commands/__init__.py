"""Commands written by hand; all others follow from their verbs' functions (`derive.py`)."""

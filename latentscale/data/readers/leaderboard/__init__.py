"""The Open LLM Leaderboard v2: `read.py` calls the others."""

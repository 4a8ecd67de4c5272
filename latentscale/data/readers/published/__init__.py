"""The reader of tables as hubs and leaderboards publish them: `read.py` calls the others."""

"""Result files of lm-evaluation-harness: `read.py` calls the others."""

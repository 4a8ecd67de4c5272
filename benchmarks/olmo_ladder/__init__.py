"""OLMo ladder: task scores of 7B and 13B models from runs of 190M to 3B."""

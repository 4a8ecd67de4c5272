"""Skills: loadings, skills of models and families, and their relation to outcomes."""

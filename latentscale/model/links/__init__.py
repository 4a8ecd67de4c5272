"""Links from the linear predictor to (0, 1), one kind per file.

Not for floors and ceilings, which bound what a link maps to (`latentscale.model.terms.curve`).
"""

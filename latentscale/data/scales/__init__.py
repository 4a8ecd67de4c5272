"""Scales of scores, one per file: allowed values, and the map to the linear predictor's scale.

Not for links, floors and ceilings, which scores on a bounded scale share (`latentscale.model`).
"""

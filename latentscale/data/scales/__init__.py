"""Scales of scores, one kind a file: allowed values, and the way to the linear predictor's scale.

Not for links, floors and ceilings, which scores on a bounded scale share (`latentscale.model`).
"""

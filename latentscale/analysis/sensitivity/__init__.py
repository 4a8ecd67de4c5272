"""Sensitivity to priors, scores, anchors and single families."""

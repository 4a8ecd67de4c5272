"""Partitioned inference: latents are drawn or integrated out in separate shards of lineages."""

from latentscale.inference.partitioned.method import Partitioned
from latentscale.inference.partitioned.subsampled import Subsampled

__all__ = ["Partitioned", "Subsampled"]

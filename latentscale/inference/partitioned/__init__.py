"""Partitioned inference: shards of lineages, whose latents are drawn or integrated out by shard."""

from latentscale.inference.partitioned.method import Partitioned
from latentscale.inference.partitioned.subsampled import Subsampled

__all__ = ["Partitioned", "Subsampled"]

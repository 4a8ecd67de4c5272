"""Partitioned inference: shards of lineages, whose latents are integrated out shard by shard."""

from latentscale.inference.partitioned.method import Partitioned

__all__ = ["Partitioned"]

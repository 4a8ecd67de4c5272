"""What several questions share: summaries of draws, units of scores, blocks, memory."""

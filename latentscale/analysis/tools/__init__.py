"""Tools that several analyses share: summaries of draws, units of scores, blocks, memory."""

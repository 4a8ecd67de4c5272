"""Our Pathfinder and Laplace beside those of pymc-extras."""

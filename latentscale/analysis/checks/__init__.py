"""Whether draws can be believed, and whether the model describes the scores."""

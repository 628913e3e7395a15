"""Whether an answer equals a gold answer."""

"""Training sets: file names, splits, formats, immutable versions, and bringing them to a training machine."""

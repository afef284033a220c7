"""Face and speech evidence to one estimate: timeline, weighting, pooling, smoothing, and the fusion node."""

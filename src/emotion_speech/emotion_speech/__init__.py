"""Speech to emotions: audio formats, voice activity, quality, classifier, and the SER node."""

"""Faces to emotions: detector, tracker, alignment, quality, classifier, and the FER node."""

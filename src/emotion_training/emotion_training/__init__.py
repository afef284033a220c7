"""Corpora, splits, training, calibration and export of the emotion models."""

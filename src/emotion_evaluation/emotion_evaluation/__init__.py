"""Measures emotion_ros on recordings and while it runs."""

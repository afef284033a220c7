"""Starts the graphs of emotion_ros: launch files, configuration, DDS profile, the emotion command."""

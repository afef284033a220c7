"""Starts the graphs of emotion_ros: launch files, configuration, transport profile, and the emotion command."""

"""The errors of this package."""

from emotion_core.errors import EmotionError


class BagError(EmotionError):
    """A bag, or a topic of it, that cannot be read or written; the sentence names the file, topic or byte."""


class LabelError(EmotionError):
    """Ground truth that cannot be used; the sentence names the file and line."""

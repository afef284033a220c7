"""What goes wrong in training, in a sentence that the user can act on."""

from emotion_core.errors import EmotionError


class TrainingError(EmotionError):
    """Data that is missing or not what it should be, a run that cannot go on, an export that cannot be trusted."""

"""The errors of this project, each with a sentence that the user can act on."""


class EmotionError(Exception):
    """Base of every error that the project raises on purpose."""


class InputError(EmotionError):
    """A message, frame or block of audio that cannot be used; the next one may be fine."""

    def __init__(self, kind: str, sentence: str):
        """
        Keep the kind apart from the sentence, so that it can be counted.

        :param kind: A short constant name such as ``'wrong encoding'``.
        :param sentence: What is wrong with this input and how to mend it.
        """
        super().__init__(sentence)
        self.kind = kind


class ModelError(EmotionError):
    """A model folder, card or file that cannot be used."""


class DeviceError(EmotionError):
    """A camera, microphone or media file that cannot be opened or has gone."""

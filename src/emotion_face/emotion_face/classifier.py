"""From aligned face crops to probabilities over the six emotions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotion_core.onnx_model import OnnxModel
from emotion_core.reliability import Trusted
from emotion_face.preprocess import to_batch
from emotion_face.quality import PHRASES

# Where a model card has no fit of the reliability. Compact models reach 0.6 to 0.7 on photographs that they have
# never seen; half says that a frame of a camera is harder.
UNKNOWN_RELIABILITY = 0.5
FACE = 'face'  # output of models that also tell whether a crop is a face


class FaceClassifier:
    """The FER model of one folder."""

    def __init__(self, folder: Path):
        """
        Load a model.

        :param folder: Holds model.onnx and model.json.
        :raises ModelError: when it is not a FER model, or damaged.
        """
        self._model = OnnxModel(folder, 'fer')
        self.identity = self._model.card.identity
        self.side = self._model.card.input.height  # [px]

    def __call__(self, crops: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """
        Classify all crops in one run.

        :param crops: Square uint8 images, gray or BGR, of any size.
        :return: Probabilities of shape (crops, 6), each row with sum 1; and how much each crop looks like a face,
            (crops,), in [0, 1]: below 0.5 it is none; 1 where the model does not tell.
        """
        batch = to_batch(crops, self._model.card.input)
        if FACE not in self._model.output_names:
            return self._model(batch), np.ones(len(crops))
        outputs = self._model.run(batch, [self._model.output_names[0], FACE])
        return self._model.probabilities(outputs[self._model.output_names[0]]), outputs[FACE]

    def trust(self, probabilities: np.ndarray, quality_terms: dict[str, float]) -> Trusted:
        """Say how far to believe what the model says (6,) of a face with these quality terms."""
        fit = self._model.card.reliability
        if fit is None:
            return Trusted(probabilities, UNKNOWN_RELIABILITY, '')
        return fit.trust(probabilities, quality_terms, PHRASES)

"""The six emotions, and how to turn anything into a distribution over them."""

from collections.abc import Sequence

import numpy as np

from emotion_core.errors import EmotionError, ModelError

EMOTIONS = ('angry', 'fear', 'happy', 'neutral', 'sad', 'surprise')
UNCERTAIN = 'uncertain'
FLOOR = 1e-6  # a probability below this counts as this: one opinion alone cannot rule an emotion out

# Names of the same emotion in corpora and foreign models; None is dropped and the rest renormalised.
SYNONYMS = {
    'anger': 'angry',
    'ang': 'angry',
    'fearful': 'fear',
    'afraid': 'fear',
    'fea': 'fear',
    'happiness': 'happy',
    'joy': 'happy',
    'hap': 'happy',
    'calm': 'neutral',
    'neu': 'neutral',
    'sadness': 'sad',
    'surprised': 'surprise',
    'sur': 'surprise',
    'disgust': None,
    'disgusted': None,
    'dis': None,
    'contempt': None,
}


def to_emotion(name: str) -> str | None:
    """
    Map a foreign label to one of EMOTIONS.

    :return: The emotion, or None for one that the project leaves out (disgust, contempt).
    :raises ModelError: for a name that is not known.
    """
    key = name.strip().lower()
    emotion = SYNONYMS.get(key, key)
    if emotion is not None and emotion not in EMOTIONS:
        raise ModelError(
            f"unknown emotion '{name}': map it to one of {', '.join(EMOTIONS)} in 'label_map' of the model card"
        )
    return emotion


def label_map(option: str, pairs: Sequence[str]) -> dict[str, str]:
    """Read the LABEL=EMOTION of an option, LABEL= for what is left out; raises EmotionError for one that is no pair."""
    split = [pair.partition('=') for pair in pairs]
    if wrong := [name for name, equals, _ in split if not equals]:
        raise EmotionError(f"{option} '{wrong[0]}' is no pair: write LABEL=EMOTION, or LABEL= to leave it out")
    return {name: emotion for name, _, emotion in split}


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Turn logits of shape (..., classes) into probabilities; a higher temperature is less sure."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    exponentials = np.exp(scaled)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Give log P of distributions (..., 6) minus its mean over the emotions: 0 for all where nothing is known."""
    logs = np.log(np.maximum(probabilities, FLOOR))
    return logs - logs.mean(axis=-1, keepdims=True)


def normalise(weights: np.ndarray) -> np.ndarray:
    """Scale non-negative weights of shape (..., 6) to sum 1; all zero becomes uniform."""
    weights = np.asarray(weights, np.float64)
    total = weights.sum(axis=-1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / weights.shape[-1])


class LabelMap:
    """Turns probabilities over a model's own labels into probabilities over EMOTIONS."""

    def __init__(self, labels: Sequence[str], label_map: dict[str, str] | None = None):
        """
        Check the labels once, so that no frame finds an unknown one.

        :param labels: The model's outputs in order.
        :param label_map: Names for those that ``to_emotion`` does not know; '' drops one.
        :raises ModelError: for an unknown label, or when none of the labels is an emotion.
        """
        label_map = label_map or {}
        self._matrix = np.zeros((len(labels), len(EMOTIONS)))
        for row, label in enumerate(labels):
            mapped = label_map.get(label, label)
            emotion = to_emotion(mapped) if mapped else None
            if emotion is not None:
                self._matrix[row, EMOTIONS.index(emotion)] = 1
        if not self._matrix.any():
            raise ModelError(f'none of the labels {list(labels)} is one of {", ".join(EMOTIONS)}')

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Map probabilities of shape (..., labels) to (..., 6), dropped labels renormalised away."""
        return normalise(np.asarray(probabilities) @ self._matrix)


def top(probabilities: np.ndarray, count: int = 3) -> list[tuple[str, float]]:
    """Give the ``count`` most probable emotions with their probability, best first."""
    order = np.argsort(-np.asarray(probabilities), kind='stable')[:count]
    return [(EMOTIONS[i], float(probabilities[i])) for i in order]

"""How good a classifier is: figures from probabilities and true labels."""

from typing import Any

import numpy as np

from emotion_core.emotions import EMOTIONS

BINS = 15  # of the calibration error; the usual number


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int = len(EMOTIONS)) -> np.ndarray:
    """Count (true class, predicted class) pairs in a matrix of shape (classes, classes)."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Give the mean of the F1 scores of the classes that occur in the truth."""
    matrix = confusion(truth, predicted)
    hits, support = np.diag(matrix), matrix.sum(axis=1)
    f1 = 2 * hits / np.maximum(support + matrix.sum(axis=0), 1)
    return float(f1[support > 0].mean())


def calibration_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Give the expected calibration error: mean gap between confidence and accuracy over 15 equal bins."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(sum(abs((confidence - right)[bins == b].sum()) for b in range(BINS)) / len(truth))


def report(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """
    Give the figures that a card carries, with what guessing would reach beside them.

    :param truth: (n,) index into EMOTIONS.
    :param probabilities: (n, 6).
    """
    predicted = probabilities.argmax(axis=1)
    counts = np.bincount(truth, minlength=len(EMOTIONS))
    majority = np.full_like(truth, counts.argmax())
    recall = {
        name: round(float((predicted[truth == i] == i).mean()), 4) for i, name in enumerate(EMOTIONS) if counts[i]
    }
    return {
        'n': len(truth),
        'accuracy': round(float((predicted == truth).mean()), 4),
        'macro_f1': round(macro_f1(truth, predicted), 4),
        'balanced_accuracy': round(float(np.mean(list(recall.values()))), 4),
        'recall': recall,
        'calibration_error': round(calibration_error(truth, probabilities), 4),
        'chance': {'accuracy': round(1 / int((counts > 0).sum()), 4)},
        'majority': {
            'label': EMOTIONS[int(counts.argmax())],
            'accuracy': round(float(counts.max() / len(truth)), 4),
            'macro_f1': round(macro_f1(truth, majority), 4),
        },
    }

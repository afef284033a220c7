"""How good a classifier is: figures from probabilities and true labels."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from emotion_core.emotions import EMOTIONS

BINS = 15  # of the calibration error; the usual number (Guo et al. 2017)
DRAWS = 1000  # of the bootstrap
TRUTHS = 20  # that are drawn from probabilities, to see what chance does to the calibration error
COVERAGE = 95  # [%] of an interval
FEW = 10  # sources; an interval of fewer is too narrow


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int = len(EMOTIONS)) -> np.ndarray:
    """Count (true class, predicted class) pairs in a matrix of shape (classes, classes)."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def accuracy_of(matrix: np.ndarray) -> np.ndarray:
    """Give the accuracy of confusion matrices of shape (..., classes, classes)."""
    return np.trace(matrix, axis1=-2, axis2=-1) / matrix.sum(axis=(-2, -1))


def macro_f1_of(matrix: np.ndarray) -> np.ndarray:
    """Give the mean F1 score, over the classes that occur, of confusion matrices of shape (..., classes, classes)."""
    hits, support = np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1)
    f1 = 2 * hits / np.maximum(support + matrix.sum(axis=-2), 1)
    return np.where(support > 0, f1, 0).sum(axis=-1) / (support > 0).sum(axis=-1)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Give the mean of the F1 scores of the classes that occur in the truth."""
    return float(macro_f1_of(confusion(truth, predicted)))


def per_class(truth: np.ndarray, predicted: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Give precision, recall, F1 and support of each class that occurs in the truth; never predicted is precision 0."""
    matrix = confusion(truth, predicted)
    hits, support, told = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        name: {
            'precision': round(float(hits[i] / max(told[i], 1)), 4),
            'recall': round(float(hits[i] / support[i]), 4),
            'f1': round(float(2 * hits[i] / (support[i] + told[i])), 4),
            'support': int(support[i]),
        }
        for i, name in enumerate(EMOTIONS)
        if support[i]
    }


def calibration_bins(truth: np.ndarray, probabilities: np.ndarray) -> list[dict[str, float | int]]:
    """
    Sort the rows by confidence into 15 equal bins, as a reliability diagram shows them.

    :param truth: (n,) index into the columns of ``probabilities``.
    :return: For each bin that is not empty its number of rows ``n``, mean ``confidence`` and ``accuracy``.
    """
    return calibration_bins_of(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


def calibration_bins_of(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float | int]]:
    """Sort answers into bins as ``calibration_bins`` does, from how sure each is in [0, 1] and whether it is right."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {'n': int(rows.sum()), 'confidence': float(confidence[rows].mean()), 'accuracy': float(right[rows].mean())}
        for rows in (bins == b for b in np.unique(bins))
    ]


def calibration_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Give the expected calibration error: mean gap between confidence and accuracy over 15 equal bins."""
    return calibration_error_of(calibration_bins(truth, probabilities))


def calibration_error_of(bins: list[dict[str, float | int]]) -> float:
    """Give the expected calibration error of bins."""
    return float(sum(b['n'] * abs(b['confidence'] - b['accuracy']) for b in bins) / sum(b['n'] for b in bins))


def calibration_error_if_calibrated(probabilities: np.ndarray) -> float:
    """Give what ``calibration_error`` finds on average where probabilities (n, 6) are exactly right: n is finite."""
    rng, cumulative = np.random.default_rng(0), probabilities.cumsum(axis=1)[:, :-1]
    draws = ((rng.random((len(probabilities), 1)) > cumulative).sum(axis=1) for _ in range(TRUTHS))
    return float(np.mean([calibration_error(truth, probabilities) for truth in draws]))


def auroc(score: np.ndarray, right: np.ndarray) -> float:
    """Give the chance that a right one scores above a wrong one (area under the ROC curve); ties count half."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    hits = int(right.sum())
    return float((rank[right].sum() - hits * (hits + 1) / 2) / (hits * (len(right) - hits)))


def interval(truth: np.ndarray, predicted: np.ndarray, sources: np.ndarray) -> dict[str, Any]:
    """
    Give 95 % intervals by the percentile bootstrap: whole sources are drawn with replacement, 1000 times, seeded.

    Rows of one source are not independent (a speaker is easy or hard), so sources are drawn and not rows. With few of
    them the interval is too narrow (see ``caution``), which is why their number stands in it.

    :param sources: (n,) who or what each row comes from; at least two different ones.
    :return: [low, high] of 'accuracy' and of 'macro_f1', and the number of 'sources'.
    """
    (matrices,) = _drawn(truth, [predicted], sources)
    bounds = {'accuracy': _bounds(accuracy_of(matrices)), 'macro_f1': _bounds(macro_f1_of(matrices))}
    return bounds | {'sources': len(np.unique(sources))}


def caution(reports: Iterable[dict[str, Any]], sources: str) -> str:
    """
    Say that intervals are too narrow where there are too few sources; '' where there are enough.

    :param reports: The rows of a table, each with an 'interval' or without.
    :param sources: What they are, such as 'speakers'.
    """
    few = any(row['interval']['sources'] < FEW for row in reports if 'interval' in row)
    return f'Intervals of fewer than {FEW} {sources} are too narrow for {COVERAGE} %.' if few else ''


def difference_interval(truth: np.ndarray, one: np.ndarray, other: np.ndarray, sources: np.ndarray) -> list[float]:
    """Give the 95 % interval [low, high] of how much higher the macro-F1 of ``one`` is, drawn as in ``interval``."""
    matrices = _drawn(truth, [one, other], sources)
    return _bounds(macro_f1_of(matrices[0]) - macro_f1_of(matrices[1]))


def _drawn(truth: np.ndarray, predictions: Sequence[np.ndarray], sources: np.ndarray) -> list[np.ndarray]:
    """Draw sources with replacement; gives for each of the predictions confusion matrices (DRAWS, classes, classes)."""
    classes = len(EMOTIONS)
    names, source = np.unique(sources, return_inverse=True)
    cells = [
        np.bincount((source * classes + truth) * classes + predicted, minlength=len(names) * classes**2)
        for predicted in predictions
    ]
    cells = np.concatenate([counts.reshape(len(names), -1) for counts in cells], axis=1)
    # Sources with equal counts are interchangeable: how often each kind is drawn is all that matters.
    kinds, count = np.unique(cells, axis=0, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(len(names), count / len(names), size=DRAWS) @ kinds
    return [part.reshape(DRAWS, classes, classes) for part in np.split(drawn, len(predictions), axis=1)]


def _bounds(values: np.ndarray) -> list[float]:
    tail = (100 - COVERAGE) / 2
    return np.percentile(values, [tail, 100 - tail]).round(4).tolist()


def report(truth: np.ndarray, probabilities: np.ndarray, sources: np.ndarray | None = None) -> dict[str, Any]:
    """
    Give the figures that a card carries, with what guessing would reach beside them.

    :param truth: (n,) index into EMOTIONS.
    :param probabilities: (n, 6).
    :param sources: (n,) who or what each row comes from. With two or more there are intervals too (see ``interval``).
    """
    predicted = probabilities.argmax(axis=1)
    counts = np.bincount(truth, minlength=len(EMOTIONS))
    majority = np.full_like(truth, counts.argmax())
    recall = {name: figures['recall'] for name, figures in per_class(truth, predicted).items()}
    several = sources is not None and len(np.unique(sources)) > 1
    return {
        'n': len(truth),
        'accuracy': round(float((predicted == truth).mean()), 4),
        'macro_f1': round(macro_f1(truth, predicted), 4),
        **({'interval': interval(truth, predicted, sources)} if several else {}),
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

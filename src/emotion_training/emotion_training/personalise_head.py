"""
Fit the linear head of a classifier to a few examples; numpy alone.

The head starts as it shipped, is pulled back to it, and stops learning where examples that it does not see get worse.
Emotions without examples keep the probability that the shipped head gives them on the examples of the others (learning
without forgetting, Li and Hoiem 2016): otherwise those with examples would win everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from emotion_core.emotions import EMOTIONS, softmax
from emotion_core.reliability import Reliability
from emotion_training.calibration import negative_log_likelihood

# Chosen on nEMO's TP0 and RAVDESS's actors 19 and 20, with 3 to 20 clips of each emotion.
PULL = 0.1  # of the squared change of the head, against the summed loss of the examples: a Gaussian prior
STEPS = 100  # at most; the loss has settled by then
MOMENTUM = 0.9
RATE = 1.0  # steps this long cannot overshoot: features have mean square 1, so that the loss bends by at most 1
FOLDS = 5  # of the examples of one speaker, or of many speakers
TEMPERATURES = np.geomspace(1 / 3, 3, 61)  # times the shipped one
TEMPERATURE_PRIOR = 0.25  # standard deviation of its logarithm
CHANCE_PRIOR = 1.0  # standard deviation of the log-odds by which the chance of being right moves


@dataclass(frozen=True)
class Head:
    """The last layer: logits = embedding @ weight.T + bias."""

    weight: np.ndarray  # (6, d)
    bias: np.ndarray  # (6,)

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Map embeddings (n, d) to logits (n, 6)."""
        return embeddings @ self.weight.T + self.bias


@dataclass(frozen=True)
class Examples:
    """What the encoder makes of the recordings; one row for each piece of speech or face."""

    embeddings: np.ndarray  # (n, d)
    labels: np.ndarray  # (n,) index into EMOTIONS
    files: np.ndarray  # (n,) number of the recording, in the order in which they were made
    speakers: np.ndarray  # (n,) number of the speaker, from 0
    terms: list[dict[str, float]]  # quality terms of each, as the node measures them

    def __getitem__(self, rows: np.ndarray) -> 'Examples':
        """Give the rows that a (n,) bool array names."""
        terms = [self.terms[i] for i in np.flatnonzero(rows)]
        return Examples(self.embeddings[rows], self.labels[rows], self.files[rows], self.speakers[rows], terms)

    @property
    def weights(self) -> np.ndarray:
        """How much each counts, mean 1: each emotion the same, since how many a person recorded tells nothing."""
        count = np.bincount(self.labels, minlength=len(EMOTIONS))
        return len(self.labels) / ((count > 0).sum() * count[self.labels])

    def folds(self) -> np.ndarray:
        """
        Give each row the number of the fold that holds it out, (n,).

        With several speakers a fold is a speaker, or several of many: nobody is learned from and held out. With one, a
        fold is a run of recordings of each emotion that were made one after another: takes of one sentence and pictures
        of one moment resemble each other, and most of them stay together.
        """
        speakers = np.unique(self.speakers, return_inverse=True)[1]
        if speakers.max() > 0:
            return speakers % FOLDS
        fold = np.zeros(len(self.labels), np.int64)
        for label in np.unique(self.labels):
            rows = self.labels == label
            files, place = np.unique(self.files[rows], return_inverse=True)
            fold[rows] = place * FOLDS // max(len(files), FOLDS)
        return fold


@dataclass(frozen=True)
class Fitted:
    """A personalised head and what it is worth."""

    head: Head  # fitted on all examples
    steps: int  # after which it stopped learning; 0: it is the shipped one
    held_out: np.ndarray  # (n, 6) logits of each example by a head that was fitted without its fold


def personalise(shipped: Head, temperature: float, examples: Examples) -> Fitted:
    """
    Fit a head to the examples, and others to all but a fold, to see what it is worth.

    :param temperature: The shipped calibration: logits are divided by it.
    """
    folds, held_out = examples.folds(), np.empty((len(examples.labels), len(EMOTIONS)))
    for fold in np.unique(folds):
        inside = folds == fold
        held_out[inside] = _fit(shipped, temperature, examples[~inside])[0](examples.embeddings[inside])
    head, steps = _fit(shipped, temperature, examples)
    return Fitted(head, steps, held_out)


def _fit(shipped: Head, temperature: float, examples: Examples) -> tuple[Head, int]:
    """Fit a head for as many steps as are best on folds that are held out of it; gives it and the number of steps."""
    folds, loss = examples.folds(), np.zeros(STEPS + 1)
    for fold in np.unique(folds):
        inside = folds == fold
        if inside.all():
            return shipped, 0
        for step, head in enumerate(_path(shipped, temperature, examples[~inside])):
            logits = head(examples.embeddings[inside])
            chance = softmax(logits, temperature)[np.arange(len(logits)), examples.labels[inside]]
            loss[step] -= examples.weights[inside] @ np.log(np.maximum(chance, 1e-12))
    steps = int(loss.argmin())
    *_, head = _path(shipped, temperature, examples, steps)
    return head, steps


def _path(shipped: Head, temperature: float, examples: Examples, steps: int = STEPS) -> Iterator[Head]:
    """Descend on the loss from the shipped head; gives the head before the first and after each step."""
    present = np.unique(examples.labels)
    weights = examples.weights / len(examples.labels)
    # Centred and of mean square 1, so that neither rate nor pull depends on the encoder; the last one is the bias.
    mean = weights @ examples.embeddings
    scale = max(float(np.sqrt(weights @ np.square(examples.embeddings - mean).sum(axis=1))), 1e-9)
    features = np.column_stack([(examples.embeddings - mean) / scale, np.ones(len(weights))])
    logits = shipped(examples.embeddings) / temperature
    target = softmax(logits)
    target[:, present] = 0.0
    target[np.arange(len(weights)), examples.labels] = 1 - target.sum(axis=1)
    pull = np.append(np.full(len(mean), PULL / len(weights)), 0.0)
    change = np.zeros((len(EMOTIONS), features.shape[1]))  # of the calibrated logits, for the features
    velocity = np.zeros_like(change)
    for _ in range(steps + 1):
        weight = temperature * change[:, :-1] / scale
        yield Head(shipped.weight + weight, shipped.bias + temperature * change[:, -1] - weight @ mean)
        ahead = change + MOMENTUM * velocity
        gradient = ahead * pull
        error = softmax(logits + features @ ahead.T) - target
        gradient += (weights[:, None] * error).T @ features
        velocity = MOMENTUM * velocity - RATE * gradient
        change = change + velocity


def calibrate(logits: np.ndarray, labels: np.ndarray, shipped: float) -> float:
    """Give the most probable temperature after these held-out logits (n, 6), with a prior around the shipped one."""
    cost = [
        len(labels) * negative_log_likelihood(logits, labels, shipped * factor)
        + np.log(factor) ** 2 / (2 * TEMPERATURE_PRIOR**2)
        for factor in TEMPERATURES
    ]
    return float(shipped * TEMPERATURES[int(np.argmin(cost))])


def shift(reliability: Reliability, terms: list[dict[str, float]], right: np.ndarray) -> Reliability:
    """
    Move the chance of being right to what it is on these examples; what the quality terms add stays.

    The intercept is the most probable one, with a Gaussian prior around the shipped one (Newton's method).

    :param right: (n,) whether the most probable emotion was right, held out.
    """
    odds = reliability.intercept + np.array([sum(reliability.contributions(item).values()) for item in terms])
    moved = 0.0
    for _ in range(20):
        chance = 1 / (1 + np.exp(-(odds + moved)))
        slope = (right - chance).sum() - moved / CHANCE_PRIOR**2
        moved += slope / ((chance * (1 - chance)).sum() + 1 / CHANCE_PRIOR**2)
    return replace(reliability, intercept=reliability.intercept + moved)

"""What a recipe offers, so that training, export and measurement are written once for faces and voices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from rich.console import Console

from emotion_core import metrics
from emotion_core.emotions import softmax
from emotion_core.model_card import AudioInput, ImageInput

if TYPE_CHECKING:
    from torch import nn

LOG_FILE = 'log.jsonl'  # of a network, in a run: one line an epoch
ModelFunction = Callable[[np.ndarray], np.ndarray]  # one batch in the shape of the card's input -> logits (batch, 6)


class Lazy(Sequence):
    """A sequence whose items are made each time they are asked for: they need not fit in memory together."""

    def __init__(self, count: int, make: Callable[[int], np.ndarray]):
        """Make item i of ``count`` by ``make(i)``."""
        self._items, self._make = range(count), make

    def __len__(self) -> int:
        """Give the number of items."""
        return len(self._items)

    def __getitem__(self, place: int | slice) -> 'np.ndarray | list[np.ndarray]':
        """Make one item, or a list of them."""
        chosen = self._items[place]
        return [self._make(i) for i in chosen] if isinstance(place, slice) else self._make(chosen)


@dataclass(frozen=True)
class HeldOut:
    """Held-out data as the model takes it."""

    batches: Sequence[np.ndarray]  # in order; of voices each is one clip, for their lengths differ
    labels: np.ndarray  # (n,) index into EMOTIONS
    groups: dict[str, np.ndarray]  # name -> (n,) bool: rows that are reported on their own
    sources: np.ndarray  # (n,) who or what a row comes from: the speaker, the picture; intervals resample these
    # (n,) bool, in no group: people whom the first member of an ensemble, and no other, has not learned from.
    only_first: np.ndarray | None = None

    def logits(self, model: ModelFunction) -> np.ndarray:
        """Run the model over all batches; gives (n, 6)."""
        return np.concatenate([model(batch) for batch in self.batches])

    def score(self, model: ModelFunction) -> dict[str, float]:
        """Give the accuracy and macro-F1 of the model."""
        figures = metrics.report(self.labels, softmax(self.logits(model)))
        return {key: figures[key] for key in ('accuracy', 'macro_f1')}


@dataclass(frozen=True)
class Corrupted:
    """Corrupted validation data with what its quality looks like."""

    batches: Sequence[np.ndarray]  # one input each
    labels: np.ndarray  # (n,)
    terms: list[dict[str, float]]  # quality terms, as the node measures them
    kinds: np.ndarray  # (n,) name of the corruption
    groups: np.ndarray  # (n,) image half or speaker: fits are tested on groups that they have not seen
    weights: np.ndarray  # (n,) how much each counts
    only_first: np.ndarray | None = None  # (n,) bool, as in HeldOut
    grouped: str = 'groups'  # what the groups are, for the card

    def from_nobody_learned_from(self) -> 'Corrupted':
        """Give what is of people whom no member of an ensemble has learned from."""
        if self.only_first is None:
            return self
        rows = np.flatnonzero(~self.only_first)
        batches, terms = ([values[row] for row in rows] for values in (self.batches, self.terms))
        return Corrupted(batches, self.labels[rows], terms, self.kinds[rows], self.groups[rows], self.weights[rows])


class Recipe(Protocol):
    """
    Data, network, settings and facts of one model.

    Where it has ``more_figures``, the card holds what these give for the exported model, by name, beside the figures on
    the test data.
    """

    name: str
    task: str  # 'fer' or 'ser'
    epochs: int  # by default
    input: ImageInput | AudioInput

    def train(self, run: Path, epochs: int, threads: int, console: Console) -> None:
        """Train; the checkpoints go to the folder ``run``."""

    def load(self, run: Path) -> 'nn.Module':
        """
        Give the network to export, in evaluation mode, with the best weights of a run; of several trainings, all.

        When it gives more than logits, its ``OUTPUTS`` name them. When it takes more than a batch, its ``inputs`` gives
        all inputs, by name, for a batch.

        Where the recipe has ``examples``, the network is tried in int8; those are the inputs to ``int8.quantise``.

        :raises TrainingError: when the run has no weights.
        """

    def labels(self, side: str) -> np.ndarray:
        """Give the labels (n,), as index into EMOTIONS, of ``'train'``, ``'validation'`` or ``'test'``."""

    def held_out(self, side: str) -> HeldOut:
        """Give the data of ``'validation'`` or ``'test'``."""

    def corrupted(self) -> Corrupted:
        """Give corrupted validation data; the same at every call."""

    def facts(self) -> dict[str, Any]:
        """Give the fields of the card that people write: description, licence, limits, training data and splits."""

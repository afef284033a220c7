"""A classifier in ONNX Runtime: a batch in, calibrated probabilities over the six emotions out."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime

from emotion_core.emotions import LabelMap, softmax
from emotion_core.errors import ModelError
from emotion_core.model_card import MODEL_FILE, AudioInput, ModelCard, sha256_of

EMBEDDING = 'embedding'  # output of the models that this project trained: what the last layer reads


def model_path(folder: Path) -> Path:
    """Give the file of a model folder; raises ModelError when it is missing."""
    path = Path(folder) / MODEL_FILE
    if not path.is_file():
        raise ModelError(f"no model in '{folder}': {MODEL_FILE} is missing")
    return path


def open_session(path: Path, threads: int, content: bytes | None = None) -> onnxruntime.InferenceSession:
    """
    Load a file for the CPU.

    :param threads: CPU threads of one run.
    :param content: What to load in place of what the file holds.
    :raises ModelError: when ONNX Runtime cannot.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content or str(path), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # ONNX Runtime's own classes share no public base
        raise ModelError(f"'{path}' is damaged, or no ONNX file that can be run here: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Give what ONNX Runtime says first of an error."""
    return str(error).strip().partition('\n')[0].strip()


def _shown(shape: Sequence[int | str | None]) -> str:
    return ' x '.join(str(size) if isinstance(size, int) else 'n' for size in shape)


class OnnxModel:
    """The model of one folder, checked against its card when it is loaded."""

    def __init__(self, folder: Path, task: str, threads: int = 1):
        """
        Load a model.

        :param folder: Holds model.onnx and model.json.
        :param task: The task that the card must have.
        :param threads: CPU threads of one run.
        :raises ModelError: when something is missing, damaged or of another task.
        """
        self.card = ModelCard.load(folder)
        if self.card.task != task:
            raise ModelError(f"model '{self.card.name}' in '{folder}' is for {self.card.task}, not for {task}")
        path = model_path(folder)
        if sha256_of(path) != self.card.sha256:
            raise ModelError(
                f"'{path}' is not the file that its card describes (sha256 differs): fetch or export it again"
            )
        self._session = open_session(path, threads)
        batch, *others = self._session.get_inputs()
        self._input = batch.name
        self._one_by_one = batch.shape[:1] == [1]  # exported for a batch of one
        for other in others:
            if not all(isinstance(size, int) for size in other.shape):
                raise ModelError(f"'{path}' has a second input '{other.name}' of no fixed size {other.shape}")
        self._others = {other.name: np.zeros(other.shape, np.float32) for other in others}
        self.output_names = tuple(output.name for output in self._session.get_outputs())  # first that of the labels
        self._label_map = LabelMap(self.card.labels, self.card.label_map)
        self._check_length()
        try:
            self(self._blank())
        except ModelError:
            raise
        except Exception as error:  # as above
            raise ModelError(
                f"'{path}' does not take the input that its card describes: {self._misfit() or first_line(error)}"
            ) from error

    def _check_length(self) -> None:
        """Raise ModelError when the file takes sound of one length only, and the card promises others."""
        spec, shape = self.card.input, self._session.get_inputs()[0].shape
        if not isinstance(spec, AudioInput) or len(shape) != 2 or not isinstance(shape[1], int):
            return
        if {int(spec.min_seconds * spec.sample_rate), int(spec.max_seconds * spec.sample_rate)} != {shape[1]}:
            raise ModelError(
                f"model '{self.card.name}' takes exactly {shape[1]} samples: set 'min_seconds' and 'max_seconds' of "
                f'its card both to {shape[1] / spec.sample_rate}'
            )

    def _misfit(self) -> str:
        """Say which shape the file takes, where the card describes another; '' where it does not."""
        taken, described = self._session.get_inputs()[0].shape, self._blank().shape
        fits = len(taken) == len(described) and all(
            size == other for size, other in zip(taken[1:], described[1:]) if isinstance(size, int)
        )
        return '' if fits else f'it takes {_shown(taken)}, the card has {_shown(described)}'

    def gives_probabilities(self) -> bool:
        """Tell whether the file ends in a softmax: whether its outputs for random inputs are distributions."""
        outputs = self._outputs_for_noise
        return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))

    def check_numbers(self) -> None:
        """Raise ModelError when outputs for random inputs are no numbers: then the weights are damaged."""
        if not np.isfinite(self._outputs_for_noise).all():
            raise ModelError(f"model '{self.card.name}' gives outputs that are no numbers: its weights are damaged")

    @cached_property
    def _outputs_for_noise(self) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, 0.5, (4, *self._blank().shape[1:]))
        return np.concatenate([self.outputs(one) for one in np.split(noise, len(noise))])

    def _blank(self) -> np.ndarray:
        spec = self.card.input
        if isinstance(spec, AudioInput):
            return np.zeros((1, int(spec.min_seconds * spec.sample_rate)), np.float32)
        return np.zeros((1, len(spec.mean), spec.height, spec.width), np.float32)

    @property
    def other_inputs(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the inputs beside the batch."""
        return {name: zeros.shape for name, zeros in self._others.items()}

    def run(self, batch: np.ndarray, names: Sequence[str], **others: np.ndarray) -> dict[str, np.ndarray]:
        """
        Run a batch of the card's input shape; gives the outputs of these names, each of shape (batch, ...).

        :param names: Some of ``output_names``.
        :param others: Other inputs by name; those that are not given are 0.
        """
        batch = np.ascontiguousarray(batch, np.float32)
        parts = np.split(batch, len(batch)) if self._one_by_one and len(batch) else [batch]
        given = [self._session.run(names, {self._input: part, **self._others, **others}) for part in parts]
        return {name: np.concatenate(values) for name, values in zip(names, zip(*given))}

    def outputs(self, batch: np.ndarray) -> np.ndarray:
        """Run a batch of the card's input shape; gives raw outputs of shape (batch, labels)."""
        name = self.output_names[0]
        return self.run(batch, [name])[name]

    def embeddings(self, batch: np.ndarray) -> np.ndarray:
        """
        Run a batch of the card's input shape; gives what the model's last layer reads, of shape (batch, d).

        :raises ModelError: when the model does not give it.
        """
        if EMBEDDING not in self.output_names:
            raise ModelError(f"model '{self.card.name}' does not give the output '{EMBEDDING}': export it again")
        return self.run(batch, [EMBEDDING])[EMBEDDING]

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Run a batch of the card's input shape; gives probabilities of shape (batch, 6)."""
        outputs = self.outputs(batch)
        if outputs.shape != (len(batch), len(self.card.labels)):
            raise ModelError(
                f"model '{self.card.name}' gives outputs of shape {outputs.shape}, "
                f'its card promises {(len(batch), len(self.card.labels))}: it needs a label for each output, in their '
                'order'
            )
        return self.probabilities(outputs)

    def probabilities(self, outputs: np.ndarray, temperature: float | None = None) -> np.ndarray:
        """
        Give probabilities over the six emotions of shape (batch, 6).

        :param outputs: Raw outputs (batch, labels).
        :param temperature: None: that of the card.
        """
        if self.card.output == 'logits':
            outputs = softmax(outputs, self.card.temperature if temperature is None else temperature)
        return self._label_map(outputs)

"""An ONNX file with its large layers in int8, which ships where it is faster and costs next to no accuracy."""

import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from emotion_core.onnx_model import open_session
from emotion_training.recipe import HeldOut

LARGE = 8192  # weights from which a product of matrices is worth it
EXACT = 3  # convolutions, the first ones, that stay as they are: what they get wrong goes through all others
MOST_LOST = 0.005  # accuracy that int8 may cost
RUNS = 100  # of each file, in turn, to time them


class Tried(NamedTuple):
    """What int8 gives and costs, each number of float32 and of int8; times of one input on one thread."""

    accuracy: tuple[float, float]
    milliseconds: tuple[float, float]

    @property
    def is_better(self) -> bool:
        """Whether it is faster, and costs less accuracy than MOST_LOST."""
        return self.milliseconds[1] < self.milliseconds[0] and self.accuracy[1] > self.accuracy[0] - MOST_LOST

    def to_json(self) -> dict[str, Any]:
        """Give the numbers for the card."""
        return {
            'accuracy': dict(zip(('float32', 'int8'), self.accuracy)),
            'milliseconds': dict(zip(('float32', 'int8'), self.milliseconds)),
            'ships': self.is_better,
        }


def quantise(path: Path, examples: Sequence[np.ndarray], target: Path) -> None:
    """
    Write a file with layers in int8, each output channel with its own scale; the first and last ones stay as they are.

    :param path: An ONNX file.
    :param examples: Inputs, of a file that has one, from which the ranges of activations are taken once and for all:
        then it is convolutions that are in int8. None at all: it is products with large matrices (of transformers), and
        each input has ranges of its own.
    """
    # Weights of 7 bits: without VNNI two products of 8 bits can overflow their sum, and CPUs would disagree.
    weights = {'per_channel': True, 'reduce_range': True, 'weight_type': QuantType.QInt8}
    prepared = target.with_suffix('.prepared')
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # ONNX Runtime advises to do what is done here, or need not be done
    try:
        if not examples:
            model = onnx.load(path)
            del model.graph.value_info[:]  # ONNX Runtime 1.23 turns matrices, and stumbles over the shapes they had
            quantize_dynamic(model, target, nodes_to_quantize=_large_products(model.graph), **weights)
            return
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            _Examples(onnx.load(path, load_external_data=False).graph.input[0].name, examples),
            quant_format=QuantFormat.QDQ,
            nodes_to_exclude=_first_layers(prepared),
            op_types_to_quantize=['Conv', 'Relu', 'Clip', 'Add'],
            activation_type=QuantType.QUInt8,
            **weights,
        )
    finally:
        root.setLevel(level)
        prepared.unlink(missing_ok=True)


def _first_layers(path: Path) -> list[str]:
    """Name the nodes up to where the convolution after the EXACT first ones begins."""
    nodes = onnx.load(path).graph.node
    convolutions = [number for number, node in enumerate(nodes) if node.op_type == 'Conv']
    return [node.name for node in nodes[: convolutions[EXACT]]]


def _large_products(graph: onnx.GraphProto) -> list[str]:
    sizes = {tensor.name: np.prod(tensor.dims) for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type == 'MatMul' and sizes.get(node.input[1], 0) >= LARGE]


def compare(path: Path, quantised: Path, data: HeldOut) -> Tried:
    """Measure a file and its int8 version on held-out data, without what is in no group of it."""
    sessions = [open_session(file, 1) for file in (path, quantised)]
    rows = data.groups['all']
    right = [data.logits(partial(_run, session)).argmax(1) == data.labels for session in sessions]
    accuracy = [float(np.mean(one[rows])) for one in right]
    one, taken = data.batches[0][:1], np.empty((2, RUNS))
    for run in range(RUNS):
        for number, session in enumerate(sessions):
            begin = time.thread_time()  # of this thread alone: the machine may be busy
            _run(session, one)
            taken[number, run] = (time.thread_time() - begin) * 1e3
    return Tried(
        tuple(round(value, 4) for value in accuracy), tuple(round(float(value), 2) for value in np.median(taken, 1))
    )


def _run(session: onnxruntime.InferenceSession, batch: np.ndarray) -> np.ndarray:
    """Give the first output for a batch; inputs beside it are 0."""
    first, *others = session.get_inputs()
    given = {other.name: np.zeros(other.shape, np.float32) for other in others}
    return session.run(None, {first.name: batch, **given})[0]


class _Examples(CalibrationDataReader):
    def __init__(self, name: str, examples: Sequence[np.ndarray]):
        self._left = iter({name: example} for example in examples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)

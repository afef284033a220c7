"""The last layer of a model file: what it reads and what it is, and the same model with another one. Needs onnx."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import MODEL_FILE, NOTICE_FILE, ModelCard, sha256_of
from emotion_core.onnx_model import EMBEDDING, OnnxModel
from emotion_training.errors import TrainingError
from emotion_training.personalise_head import Head

WEIGHT, BIAS = 'household.weight', 'household.bias'  # of a new last layer


class Layer(NamedTuple):
    """The last layer as it is in a graph."""

    nodes: list[Any]  # that make it, from the output on back
    reads: str  # name of a value of shape (batch, d)
    weight: np.ndarray  # (6, d)
    bias: np.ndarray  # (6,)


def load(folder: Path, task: str) -> tuple[OnnxModel, Head]:
    """
    Load a model so that it gives its embeddings, whether its file names that output or not, and its last layer.

    :raises EmotionError: when it cannot be used, or does not end in a linear layer for the six emotions.
    """
    card = OnnxModel(folder, task).card
    model = _open(folder)
    layer = _last_layer(model)
    if layer is None or card.output != 'logits' or tuple(card.labels) != EMOTIONS:
        raise TrainingError(
            f"'{card.name}' cannot be personalised: that takes a model whose last layer is linear and gives a logit "
            'for each of the six emotions'
        )
    head = Head(layer.weight.astype(np.float64), layer.bias.astype(np.float64))
    with tempfile.TemporaryDirectory() as work:
        write(folder, head, card, Path(work))
        return OnnxModel(Path(work), task), head


def write(parent: Path, head: Head, card: ModelCard, folder: Path) -> None:
    """
    Write a model with another last layer; it gives its embeddings too.

    :param parent: Folder of a model that ``load`` has taken; all else in its file stays.
    :param card: Of the new model; the hash is filled in.
    """
    import onnx.compose
    from onnx import TensorProto, helper, numpy_helper

    model = _open(parent)
    if EMBEDDING not in (output.name for output in model.graph.output):  # a value inside may have that name
        model = onnx.compose.add_prefix(model, 'encoder.', rename_inputs=False, rename_outputs=False)
    layer = _last_layer(model)
    graph = model.graph
    for node in layer.nodes:
        graph.node.remove(node)
    graph.node.append(helper.make_node('Gemm', [layer.reads, WEIGHT, BIAS], [graph.output[0].name], transB=1))
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used - {WEIGHT, BIAS}]
    del graph.initializer[:]  # whose order stays, without what only the old layer read
    graph.initializer.extend(kept)
    for name, values in ((WEIGHT, head.weight), (BIAS, head.bias)):
        graph.initializer.append(numpy_helper.from_array(values.astype(layer.weight.dtype), name))
    if EMBEDDING not in (output.name for output in graph.output):
        graph.node.append(helper.make_node('Identity', [layer.reads], [EMBEDDING]))
        shape = ['batch', head.weight.shape[1]]
        graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, shape))
    onnx.save(model, str(folder / MODEL_FILE))
    replace(card, sha256=sha256_of(folder / MODEL_FILE)).save(folder)
    if (parent / NOTICE_FILE).is_file():  # the terms of what the parent began as hold here, too
        shutil.copyfile(parent / NOTICE_FILE, folder / NOTICE_FILE)


def _open(folder: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise TrainingError('personalisation needs the package onnx: pip install onnx') from error
    return onnx.load(str(folder / MODEL_FILE))


def _last_layer(model: Any) -> Layer | None:
    """Find the layer that makes the first output: a Gemm, or a MatMul and the Add of a bias."""
    from onnx import helper, numpy_helper

    makers = {name: node for node in model.graph.node for name in node.output}
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [makers.get(model.graph.output[0].name)]
    while nodes[-1] is not None and nodes[-1].op_type == 'Identity':
        nodes.append(makers.get(nodes[-1].input[0]))
    if nodes[-1] is None:
        return None
    names, is_transposed = list(nodes[-1].input), False
    if nodes[-1].op_type == 'Gemm':
        settings = {item.name: helper.get_attribute_value(item) for item in nodes[-1].attribute}
        is_transposed = bool(settings.get('transB', 0))
        if settings.get('transA', 0) or not settings.get('alpha', 1) == settings.get('beta', 1) == 1:
            return None
    elif nodes[-1].op_type == 'Add':
        bias, rest = sorted(names, key=lambda name: name not in initializers)
        nodes.append(makers.get(rest))
        if nodes[-1] is None or nodes[-1].op_type != 'MatMul':
            return None
        names = [*nodes[-1].input, bias]
    else:
        return None
    if not {*names[1:]} <= initializers.keys():
        return None
    weight, *biases = (numpy_helper.to_array(initializers[name]) for name in names[1:])
    weight = weight if is_transposed else weight.T
    bias = biases[0] if biases else np.zeros(len(weight))  # left out of a file where it is zero
    is_of_emotions = weight.ndim == 2 and len(weight) == len(EMOTIONS) and bias.shape == (len(EMOTIONS),)
    return Layer(nodes, names[0], weight, bias) if is_of_emotions else None

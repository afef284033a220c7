"""The last layer of a model file: what it reads and what it is, and the same model with another one. Needs onnx."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import MODEL_FILE, ModelCard, sha256_of
from emotion_core.onnx_model import EMBEDDING, OnnxModel
from emotion_training.errors import TrainingError
from emotion_training.personalise_head import Head


class Layer(NamedTuple):
    """Where the last layer is in a graph."""

    reads: str  # name of a value of shape (batch, d)
    weight: Any  # initializer
    bias: Any  # initializer, (6,)
    is_transposed: bool  # the weight is (6, d), not (d, 6)


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
    from onnx import numpy_helper

    weight, bias = (numpy_helper.to_array(part).astype(np.float64) for part in (layer.weight, layer.bias))
    head = Head(weight if layer.is_transposed else weight.T, bias)
    with tempfile.TemporaryDirectory() as work:
        write(folder, head, card, Path(work))
        return OnnxModel(Path(work), task), head


def write(parent: Path, head: Head, card: ModelCard, folder: Path) -> None:
    """
    Write a model with another last layer; it gives its embeddings too.

    :param parent: Folder of a model that ``load`` has taken; all else in its file stays.
    :param card: Of the new model; the hash is filled in.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = _open(parent)
    layer = _last_layer(model)
    for part, values in (
        (layer.weight, head.weight if layer.is_transposed else head.weight.T),
        (layer.bias, head.bias),
    ):
        kind = numpy_helper.to_array(part).dtype
        part.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, kind), part.name))
    if EMBEDDING not in (output.name for output in model.graph.output):
        model.graph.node.append(helper.make_node('Identity', [layer.reads], [EMBEDDING]))
        shape = ['batch', head.weight.shape[1]]
        model.graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, shape))
    onnx.save(model, str(folder / MODEL_FILE))
    replace(card, sha256=sha256_of(folder / MODEL_FILE)).save(folder)


def _open(folder: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise TrainingError('personalisation needs the package onnx: pip install onnx') from error
    return onnx.load(str(folder / MODEL_FILE))


def _last_layer(model: Any) -> Layer | None:
    """Find the layer that makes the first output: a Gemm, or a MatMul and the Add of a bias."""
    from onnx import helper

    makers = {name: node for node in model.graph.node for name in node.output}
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    node = makers.get(model.graph.output[0].name)
    while node is not None and node.op_type == 'Identity':
        node = makers.get(node.input[0])
    if node is None:
        return None
    if node.op_type == 'Gemm':
        settings = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        is_plain = settings.get('alpha', 1) == settings.get('beta', 1) == 1 and not settings.get('transA', 0)
        names, is_transposed = list(node.input), bool(settings.get('transB', 0))
    elif node.op_type == 'Add':
        bias, rest = sorted(node.input, key=lambda name: name not in initializers)
        product = makers.get(rest)
        is_plain, is_transposed = product is not None and product.op_type == 'MatMul', False
        names = [*product.input, bias] if is_plain else []
    else:
        return None
    if not is_plain or len(names) != 3 or not {*names[1:]} <= initializers.keys():
        return None
    weight, bias = (initializers[name] for name in names[1:])
    classes = weight.dims[0 if is_transposed else -1] if len(weight.dims) == 2 else 0
    return Layer(names[0], weight, bias, is_transposed) if [classes] == list(bias.dims) == [len(EMOTIONS)] else None

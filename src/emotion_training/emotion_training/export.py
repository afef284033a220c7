"""From the checkpoints of a run to a model folder: ONNX, checked against torch, calibrated, with its card."""

import json
import logging
import os
import shutil
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import optimizer
from torch import Tensor, nn

from emotion_core.model_card import CARD_FILE, MODEL_FILE, ModelCard, sha256_of
from emotion_core.onnx_model import OnnxModel
from emotion_training import int8, measure
from emotion_training.errors import TrainingError
from emotion_training.recipe import LOG_FILE, HeldOut, Recipe
from emotion_training.trainer import BEST_FILE

TOLERANCE = 1e-4  # largest difference of a logit between torch and ONNX Runtime
OTHER_TOLERANCE = 1e-3  # of other outputs; relative where they are over 1
HALF_TOLERANCE = 0.03  # of a logit, when the weights are rounded to half precision
OTHER_HALF_TOLERANCE = 0.1  # of other outputs then: a frame near the threshold is voiced for one and not for the other
HALVED = 8192  # weights from which a tensor is kept in half precision; the last layer stays as it is
PARITY_INPUTS = 64
FOLDED = 2**30  # bytes of a constant that is calculated as a model is exported
LOGITS = 'logits'
PARTIAL = '.partial'  # folder of what is not finished


def export(recipe: Recipe, run: Path, folder: Path, command: str) -> float:
    """
    Write the best weights of a run as a model folder, calibrated and measured on the validation data.

    :param command: What made this, for the card.
    :return: The largest difference of a logit in float32 to torch over PARITY_INPUTS real inputs.
    :raises TrainingError: when there is no checkpoint, or the exported model differs from torch by more than it may.
    """
    network = recipe.load(run)
    data = recipe.held_out('validation')
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / PARTIAL
    shutil.rmtree(partial, ignore_errors=True)  # of an export that was killed
    partial.mkdir()
    try:
        path = partial / MODEL_FILE
        batches = data.batches[:: max(len(data.batches) // PARITY_INPUTS, 1)][:PARITY_INPUTS]
        to_onnx(network, inputs(network, batches[0]), path)
        differences = parity(network, path, batches)
        check(differences, TOLERANCE, OTHER_TOLERANCE)
        weights = [*network.named_parameters(), *network.named_buffers()]
        halve(path, {name for name, values in weights if values.numel() >= HALVED})
        check(parity(network, path, batches), HALF_TOLERANCE, OTHER_HALF_TOLERANCE)
        tried = _try_int8(path, recipe.examples(), data) if hasattr(recipe, 'examples') else None
        facts = recipe.facts()
        training = facts.pop('training') | {
            'command': command,
            **history(run),
            'parameters': sum(p.numel() for p in network.parameters()),
            'torch': torch.__version__,
        }
        card = ModelCard(
            name=recipe.name, task=recipe.task, input=recipe.input, sha256=sha256_of(path), training=training, **facts
        )
        card.save(partial)
        temperatures = measure.calibrate(partial, recipe.task, data)
        card = replace(card, **temperatures)
        card.save(partial)
        figures = measure.test_figures(OnnxModel(partial, recipe.task), data)
        card = replace(
            card,
            metrics={
                'parity': {
                    'max_abs_difference': differences.pop(LOGITS),
                    **({'other_outputs': differences} if differences else {}),
                    'inputs': len(batches),
                    'command': command,
                },
                **({} if tried is None else {'int8': tried.to_json() | {'command': command}}),
                'validation': figures | {'command': command},
            },
        )
        card.save(partial)
        for name in (MODEL_FILE, CARD_FILE):
            os.replace(partial / name, folder / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return card.metrics['parity']['max_abs_difference']


def _try_int8(path: Path, examples: Sequence[np.ndarray], data: HeldOut) -> int8.Tried:
    """Replace the file by its int8 version, where that is better."""
    quantised = path.with_suffix('.int8')
    int8.quantise(path, examples, quantised)
    tried = int8.compare(path, quantised, data)
    if tried.is_better:
        os.replace(quantised, path)
    return tried


def inputs(network: nn.Module, batch: np.ndarray) -> dict[str, Tensor]:
    """Name the inputs of a network for a batch."""
    batch = torch.from_numpy(batch)
    with torch.inference_mode():
        return network.inputs(batch) if hasattr(network, 'inputs') else {'input': batch}


def outputs(network: nn.Module) -> tuple[str, ...]:
    """Name the outputs of a network, the logits first."""
    return getattr(network, 'OUTPUTS', (LOGITS,))


def to_onnx(network: nn.Module, example: dict[str, Tensor], path: Path) -> None:
    """
    Export a network with a dynamic batch, and for waveforms a dynamic length.

    :param example: Its inputs by name; the first is the batch, the others keep their shape.
    """
    names = list(example)
    batch = example[names[0]]
    dynamic = {0: torch.export.Dim('batch')}
    if batch.ndim == 2:
        dynamic[1] = torch.export.Dim('samples', min=4800)
    # A batch of one would be taken for a constant; the clones may be recorded, what comes from inference mode may not.
    arguments = (batch[:1].repeat_interleave(2, 0), *(example[name].clone() for name in names[1:]))
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)  # it warns of torchvision, which is not used
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)  # between torch and its own libraries
        program = torch.onnx.export(
            network.eval(),
            arguments,
            input_names=names,
            output_names=outputs(network),
            dynamic_shapes=(dynamic, *(None for _ in names[1:])),
            dynamo=True,
            verbose=False,
        )
    # Weights that are used more than once, too, as the products take them, whatever their size.
    optimizer.optimize(program.model, input_size_limit=FOLDED, output_size_limit=FOLDED)
    model = program.model_proto
    without_traces(model)
    onnx.save(model, path)


def without_traces(model: onnx.ModelProto) -> None:
    """Drop what tells of each node from which line of Python it came: of small models that is a sixth."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ''
    for value in model.graph.value_info:
        del value.metadata_props[:]


def halve(path: Path, names: Collection[str]) -> None:
    """Keep these weights of a file in half precision; ONNX Runtime makes them float32 again when it loads it."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name in names and tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            model.graph.node.insert(
                0, helper.make_node('Cast', [f'{tensor.name}.half'], [tensor.name], to=TensorProto.FLOAT)
            )
            tensor.CopyFrom(numpy_helper.from_array(values, f'{tensor.name}.half'))
    onnx.save(model, path)


def check(differences: dict[str, float], of_logits: float, of_others: float) -> None:
    """Raise TrainingError when an output differs from torch's by more than it may."""
    for name, difference in differences.items():
        bound = of_logits if name == LOGITS else of_others
        if not difference <= bound:  # also where it is not a number
            raise TrainingError(
                f'the exported model differs from torch by {difference:.1e} in its {name}, more than {bound:.0e}: '
                f'try another version of torch or onnx'
            )


@torch.inference_mode()
def parity(network: nn.Module, path: Path, batches: Sequence[np.ndarray]) -> dict[str, float]:
    """Give the largest difference of each output between torch and ONNX Runtime; absolute for logits."""
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    differences = dict.fromkeys(outputs(network), 0.0)
    for batch in batches:
        given = inputs(network, batch[:PARITY_INPUTS])
        expected = network(*given.values())
        found = session.run(list(differences), {name: value.numpy() for name, value in given.items()})
        for name, one, other in zip(differences, [expected] if isinstance(expected, Tensor) else expected, found):
            difference = np.abs(one.numpy() - other)
            if name != LOGITS:
                difference = difference / np.maximum(np.abs(other), 1)
            differences[name] = float(np.maximum(differences[name], difference.max()))  # not a number stays so
    return differences


def history(run: Path) -> dict[str, Any]:
    """Give the log of each training in a run, and which epoch was the best, for the card; by name when several."""
    epochs, best = {}, {}
    for log in sorted(run.rglob(LOG_FILE)):
        name = log.parent.relative_to(run).as_posix()
        epochs[name] = [json.loads(line) for line in log.read_text().splitlines()]
        best[name] = torch.load(log.parent / BEST_FILE, map_location='cpu', weights_only=True)['epoch']
    if list(epochs) == ['.']:
        return {'best_epoch': best['.'], 'epochs': epochs['.']}
    return {'best_epochs': best, 'epochs': epochs}

"""From a checkpoint to a model folder: ONNX, checked against torch, with its card."""

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from emotion_core import metrics
from emotion_core.emotions import softmax
from emotion_core.model_card import MODEL_FILE, ModelCard, sha256_of
from emotion_training.calibration import fit_temperature
from emotion_training.errors import TrainingError
from emotion_training.recipe import Recipe
from emotion_training.trainer import LOG_FILE, load_best

TOLERANCE = 1e-4  # largest difference of a logit between torch and ONNX Runtime
PARITY_INPUTS = 64


def export(recipe: Recipe, run: Path, folder: Path, command: str) -> float:
    """
    Write the best weights of a run as a model folder, calibrated and measured on the validation data.

    :param command: What made this, for the card.
    :return: The largest difference to torch over PARITY_INPUTS real inputs.
    :raises TrainingError: when there is no checkpoint, or the exported model differs from torch by more than TOLERANCE.
    """
    network = recipe.network()
    best = load_best(network, run)
    data = recipe.held_out('validation')
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f'{MODEL_FILE}.partial'
    to_onnx(network, data.batches[0], partial)
    session = onnxruntime.InferenceSession(str(partial), providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    difference = parity(network, session, data.batches)
    if not difference <= TOLERANCE:
        partial.unlink()
        raise TrainingError(
            f'the exported model differs from torch by {difference:.1e}, more than {TOLERANCE:.0e}: '
            f'try another version of torch or onnx'
        )
    logits = data.logits(lambda batch: session.run(None, {name: batch})[0])
    temperature = fit_temperature(logits, data.labels)
    facts = recipe.facts()
    training = facts.pop('training') | {
        'command': command,
        'best_epoch': best['epoch'],
        'epochs': _log(run),
        'parameters': sum(p.numel() for p in network.parameters()),
        'torch': torch.__version__,
    }
    figures = {
        group: metrics.report(data.labels[rows], softmax(logits[rows], temperature), data.sources[rows])
        for group, rows in data.groups.items()
    }
    card = ModelCard(
        name=recipe.name,
        task=recipe.task,
        input=recipe.input,
        sha256=sha256_of(partial),
        temperature=round(temperature, 4),
        training=training,
        metrics={
            'parity': {'max_abs_difference': difference, 'inputs': PARITY_INPUTS, 'command': command},
            'validation': figures | {'command': command},
        },
        **facts,
    )
    os.replace(partial, folder / MODEL_FILE)
    card.save(folder)
    return difference


def to_onnx(network: nn.Module, example: np.ndarray, path: Path) -> None:
    """Export with a dynamic batch, and for waveforms a dynamic length."""
    dynamic = {0: torch.export.Dim('batch')}
    if example.ndim == 2:
        dynamic[1] = torch.export.Dim('samples', min=4800)
    example = np.repeat(example[:1], 2, axis=0)  # a batch of one would be taken for a constant
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)  # it warns of torchvision, which is not used
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)  # between torch and its own libraries
        program = torch.onnx.export(
            network.eval(),
            (torch.from_numpy(example),),
            input_names=['input'],
            output_names=['logits'],
            dynamic_shapes=(dynamic,),
            dynamo=True,
            verbose=False,
        )
    program.save(str(path), external_data=False)


@torch.inference_mode()
def parity(network: nn.Module, session: onnxruntime.InferenceSession, batches: list[np.ndarray]) -> float:
    """Give the largest absolute difference of a logit between torch and ONNX Runtime over evenly chosen real inputs."""
    name = session.get_inputs()[0].name
    difference = 0.0
    for batch in batches[:: max(len(batches) // PARITY_INPUTS, 1)][:PARITY_INPUTS]:
        batch = batch[:PARITY_INPUTS]
        expected = network(torch.from_numpy(batch)).numpy()
        difference = max(difference, float(np.abs(session.run(None, {name: batch})[0] - expected).max()))
    return difference


def _log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / LOG_FILE).read_text().splitlines()]

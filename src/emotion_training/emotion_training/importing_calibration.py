"""Calibration of an imported model on the user's own recordings or pictures; needs no torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from emotion_core import metrics
from emotion_core.emotions import LabelMap, softmax
from emotion_core.model_card import ModelCard
from emotion_core.onnx_model import OnnxModel
from emotion_training.calibration import HIGHEST, LOWEST
from emotion_training.errors import TrainingError
from emotion_training.personalise import check_enough
from emotion_training.personalise_data import READERS, find_recordings, read

GRID = 400  # temperatures that are tried: 1.2 % apart


def calibrate(folder: Path, source: Path, command: str) -> list[str]:
    """
    Fit the temperature of a model folder to what it says of recordings or pictures, as a node would cut them out.

    :param source: Files with labels, see ``find_recordings``.
    :return: What the user should know.
    :raises EmotionError: when there are too few of them.
    """
    card = ModelCard.load(folder)
    model = OnnxModel(folder, card.task)
    if card.output == 'probabilities' or model.gives_probabilities():
        return ['It gives probabilities, not logits: they cannot be calibrated, --data was not used']
    reader = READERS[card.task]
    recordings, left_out = find_recordings(source, reader)
    try:
        check_enough(recordings, f'{reader.noun}s', source)
    except TrainingError as error:
        raise TrainingError('; left out: '.join([str(error), *left_out])) from error
    found, unused = read(track(recordings, f'Reading {reader.noun}s', transient=True), reader(card.input))
    pieces = [(piece, file, recording.label) for file, recording in enumerate(recordings) for piece in found[file]]
    label_map = LabelMap(card.labels, card.label_map)
    can_say = label_map(np.eye(len(card.labels))).max(axis=0) > 0
    pieces = [piece for piece in pieces if can_say[piece[2]]]
    files, truth = (np.array([piece[i] for piece in pieces]) for i in (1, 2))
    check_enough([recordings[file] for file in np.unique(files)], f'{reader.noun}s with {reader.content}', source)
    outputs = np.concatenate([model.outputs(piece.batch) for piece, _, _ in pieces])
    temperature = fit_temperature(outputs, truth, label_map)
    before, after = (
        metrics.report(truth, label_map(softmax(outputs, value)), files) for value in (card.temperature, temperature)
    )
    figures = {'n': len(truth), 'before': before, 'after': after, 'held_out': 'nothing: of what it was fitted to'}
    replace(
        card,
        temperature=round(temperature, 4),
        metrics=card.metrics | {'calibration': figures | {'command': command}},
    ).save(folder)
    return [
        *(f'Left out: {sentence}' for sentence in left_out + unused),
        f'On {len(np.unique(files))} {reader.noun}s its accuracy is {after["accuracy"]:.3f}, its macro-F1 '
        f'{after["macro_f1"]:.3f}; with temperature {temperature:.2f} its calibration error is '
        f'{after["calibration_error"]:.3f}, without {before["calibration_error"]:.3f}',
    ]


def fit_temperature(outputs: np.ndarray, truth: np.ndarray, label_map: LabelMap) -> float:
    """Give the temperature in [0.1, 10] at which the emotions of logits (n, labels) are most likely those of (n,)."""
    rows = np.arange(len(truth))

    def loss(temperature: float) -> float:
        chance = label_map(softmax(outputs, temperature))[rows, truth]
        return -float(np.log(np.maximum(chance, 1e-12)).mean())

    return float(min(np.geomspace(LOWEST, HIGHEST, GRID), key=loss))

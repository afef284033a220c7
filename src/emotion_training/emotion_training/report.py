"""
The report of a model: one HTML page that stands alone, and the same figures as JSON.

It needs a finished model folder and the data of its recipe, and no torch.
"""

import copy
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from emotion_core import metrics
from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import MODEL_FILE, AudioInput, ModelCard
from emotion_core.onnx_model import OnnxModel
from emotion_core.page import drawing, render
from emotion_core.provenance import commit, versions
from emotion_training.recipe import LOG_FILE, HeldOut, Recipe
from emotion_training.splits import SIDES

PAGE, FIGURES = 'report.html', 'report.json'
SOURCES = {'fer': 'picture', 'ser': 'speaker'}  # what the rows of a recipe come from
VERSIONS_OF = ('numpy', 'onnxruntime', 'opencv-python-headless', 'soundfile')


def write_report(recipe: Recipe, run: Path, folder: Path, command: str) -> Path:
    """
    Measure a model on the test data of its recipe, and write report.html and report.json into the run.

    :param run: Where the learning curves are looked for when the card has none, and where the report goes.
    :param folder: The model, trained here or imported; the data is given the size and colours of its card.
    :param command: What makes this report, for the reader.
    :return: The page.
    :raises EmotionError: when matplotlib or Jinja is missing.
    :raises ModelError: when the folder does not hold a model for the task.
    """
    with drawing():
        from emotion_core.figures import confusion
        from emotion_training import report_plots as plots
    figures = gather(recipe, run, folder, command)
    run.mkdir(parents=True, exist_ok=True)
    (run / FIGURES).write_text(json.dumps(figures, indent=2, ensure_ascii=False) + '\n')
    page = render(
        'emotion_training',
        'report.html.j2',
        **figures,
        emotions=EMOTIONS,
        known=by_group(figures['warm'] or {}),
        known_by_one_emotion=by_group(figures['warm']['one_emotion']) if figures['warm'] else {},
        plots={
            'curves': plots.curves(figures['curves']['runs'], figures['curves']['best_epoch']),
            'warm': plots.heard(figures['warm']['curve']) if figures['warm'] else '',
            'confusion': {name: confusion(name, np.array(matrix)) for name, matrix in figures['confusion'].items()},
            'calibration': plots.calibration(figures['calibration']),
        },
    )
    (run / PAGE).write_text(page)
    return run / PAGE


def by_group(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give what of a step's figures in a card is of groups of the data, by their name."""
    return {name: value for name, value in figures.items() if isinstance(value, dict) and 'majority' in value}


def gather(recipe: Recipe, run: Path, folder: Path, command: str) -> dict[str, Any]:
    """Measure and collect all that a report says; what it gives is written as JSON."""
    model = OnnxModel(folder, recipe.task)
    card = model.card
    recipe = copy.copy(recipe)
    recipe.input = card.input  # an imported model may take another size than the recipe's own
    data = recipe.held_out('test')
    outputs, digest = _run(model, data)
    probabilities, plain = model.probabilities(outputs), model.probabilities(outputs, 1.0)
    predicted = probabilities.argmax(axis=1)
    return {
        'model': {
            'name': card.name,
            'task': card.task,
            'description': card.description,
            'licence': card.licence,
            'sha256': card.sha256,
            'megabytes': round((folder / MODEL_FILE).stat().st_size / 1e6, 2),
            'input': describe_input(card),
            **{name: card.training[name] for name in ('parameters', 'best_epoch') if name in card.training},
        },
        'made': {
            'command': command,
            'commit': commit(),
            'data_sha256': digest,
            'versions': _versions(card),
        },
        'sources': SOURCES[card.task],
        'groups': list(data.groups),
        'test': {
            name: metrics.report(data.labels[rows], probabilities[rows], data.sources[rows])
            for name, rows in data.groups.items()
        },
        'warm': card.metrics.get('warm'),  # as measured by the step test: each voice after others of it
        'per_class': {
            name: metrics.per_class(data.labels[rows], predicted[rows]) for name, rows in data.groups.items()
        },
        'confusion': {
            name: metrics.confusion(data.labels[rows], predicted[rows]).tolist() for name, rows in data.groups.items()
        },
        'calibration': {
            'temperature': card.temperature,
            'before': _calibration(data.labels, plain),
            'after': _calibration(data.labels, probabilities),
        },
        'counts': {
            side: dict(zip(EMOTIONS, np.bincount(recipe.labels(side), minlength=len(EMOTIONS)).tolist()))
            for side in SIDES
        },
        'curves': _curves(card, run),
        'card': {key: value for key, value in asdict(card).items() if key not in ('input', 'sha256', 'reliability')}
        | {'training': {key: value for key, value in card.training.items() if key != 'epochs'}},
    }


def describe_input(card: ModelCard) -> str:
    """Say in words what a model takes."""
    spec = card.input
    if isinstance(spec, AudioInput):
        return (
            f'mono sound at {spec.sample_rate / 1000:g} kHz, {spec.min_seconds:g} to {spec.max_seconds:g} s at a time'
        )
    size = f'{spec.width}x{spec.height} px' if spec.width else 'any size'
    return f'{"gray" if spec.color == "gray" else spec.color.upper()} picture, {size}'


def _run(model: OnnxModel, data: HeldOut) -> tuple[np.ndarray, str]:
    """Give the raw outputs (n, labels), and the sha256 of the inputs and labels they are for."""
    digest, outputs = hashlib.sha256(), []
    for batch in data.batches:
        digest.update(np.ascontiguousarray(batch, np.float32).tobytes())
        outputs.append(model.outputs(batch))
    digest.update(data.labels.astype(np.int64).tobytes())
    return np.concatenate(outputs), digest.hexdigest()


def _calibration(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    return {
        'error': round(metrics.calibration_error(truth, probabilities), 4),
        'bins': metrics.calibration_bins(truth, probabilities),
    }


def _curves(card: ModelCard, run: Path) -> dict[str, Any]:
    """Give the epochs of each training of this model: as its card has them, or as the run logged them."""
    epochs = card.training.get('epochs')
    if epochs:
        runs = epochs if isinstance(epochs, dict) else {'': epochs}
        source = 'the model card'
    else:
        logs = sorted(run.glob(f'**/{LOG_FILE}'))
        runs = {
            '' if log.parent == run else log.parent.relative_to(run).as_posix(): [
                json.loads(line) for line in log.read_text().splitlines()
            ]
            for log in logs
        }
        source = ', '.join(log.relative_to(run).as_posix() for log in logs)
    return {'source': source, 'runs': runs, 'best_epoch': card.training.get('best_epoch')}


def _versions(card: ModelCard) -> dict[str, str]:
    """Give the versions of what measured, and of the torch that trained where the card says it."""
    return versions(VERSIONS_OF) | (
        {'torch (training)': str(card.training['torch'])} if 'torch' in card.training else {}
    )

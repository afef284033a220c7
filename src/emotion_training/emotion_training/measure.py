"""What a model folder is worth, measured and calibrated through the code that the nodes run; needs no torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from emotion_core import metrics
from emotion_core.model_card import ModelCard
from emotion_core.onnx_model import OnnxModel
from emotion_core.reliability import Reliability, logit
from emotion_training import personalise_model, speaker_measure
from emotion_training.calibration import fit_temperature
from emotion_training.recipe import HeldOut, Recipe
from emotion_training.reliability_fit import RIDGES, brier, cross_fit, fit_reliability
from emotion_training.scaling_fit import Worse, choose_scaling
from emotion_training.speaker_measure import Members


def calibrate(folder: Path, task: str, data: HeldOut) -> dict[str, float]:
    """Fit what makes confidence mean accuracy on held-out data; gives the fields of the card that hold it."""
    model = OnnxModel(folder, task)
    if data.only_first is not None:
        return speaker_measure.calibrate(model, data, _members(folder, task))
    logits = np.concatenate([model.outputs(batch) for batch in data.batches])
    return {'temperature': round(fit_temperature(logits, data.labels), 4)}


def measure_test(recipe: Recipe, folder: Path, command: str) -> ModelCard:
    """
    Measure a model on the test data and put the figures in its card; gives the new card.

    Of a model that knows voices 'test' has the figures for a voice heard for the first time, and 'warm' those for one
    that was heard before.
    """
    model = OnnxModel(folder, recipe.task)
    data = recipe.held_out('test')
    figures = {'test': test_figures(model, data) | {'command': command}}
    if speaker_measure.knows_voices(model):
        figures['warm'] = speaker_measure.warm_figures(model, data) | {'command': command}
    for name, more in getattr(recipe, 'more_figures', lambda model: {})(model).items():
        figures[name] = more | {'command': command}
    card = replace(model.card, metrics=model.card.metrics | figures)
    card.save(folder)
    return card


def test_figures(model: OnnxModel, data: HeldOut) -> dict[str, dict]:
    """Report on each group of held-out data."""
    probabilities = np.concatenate([model(batch) for batch in data.batches])
    return {
        name: metrics.report(data.labels[rows], probabilities[rows], data.sources[rows])
        for name, rows in data.groups.items()
    }


def measure_reliability(recipe: Recipe, folder: Path, command: str) -> ModelCard:
    """
    Fit how quality tells what the model's word is worth on corrupted validation data, and put the fits in the card.

    Two fits: how far to believe each emotion of a distribution (see ``Scaling``), and the chance that the most probable
    one is right then. Those of the card are made from all of the data; their figures come from fits that have not seen
    the group (half of the images, speaker) that they are measured on. Of an ensemble that has a first member to be
    judged, they are about that one, and the whole is as much better as 'gain' says [log-odds].
    """
    model = OnnxModel(folder, recipe.task)
    corrupted = recipe.corrupted()
    if 'members' not in model.card.training:
        corrupted = corrupted.from_nobody_learned_from()
    if corrupted.only_first is None:
        probabilities = np.concatenate([model(batch) for batch in corrupted.batches])
        data = Worse(probabilities, corrupted.terms, corrupted.labels, corrupted.groups, corrupted.weights)
        kinds, gain = corrupted.kinds, 0.0
    else:
        data, kinds, gain = speaker_measure.judge(model, corrupted, _members(folder, recipe.task))
    scaling, scaled, scaling_figures = choose_scaling(data)
    right = scaled.argmax(axis=1) == data.labels
    worth = data.terms, right, data.groups, data.weights
    ridge = min(RIDGES, key=lambda ridge: brier(cross_fit(*worth, ridge)[0], right, data.weights))
    chance, base = cross_fit(*worth, ridge)

    figures = {
        'n': len(right),
        'right': round(float(np.average(right, weights=data.weights)), 4),
        'auroc': round(metrics.auroc(chance, right), 4),
        'brier': round(brier(chance, right, data.weights), 4),
        'brier_of_base_rate': round(brier(base, right, data.weights), 4),
        'ridge': ridge,
        'by_kind': {
            kind: {
                'n': int(rows.sum()),
                'right': round(float(right[rows].mean()), 4),
                'expected': round(float(chance[rows].mean()), 4),
            }
            for kind in np.unique(kinds).tolist()
            for rows in [kinds == kind]
        },
        'scaling': scaling_figures,
        'held_out': f'each of {len(np.unique(data.groups))} {corrupted.grouped} by a fit on the others',
        'command': command,
    }
    reliability = fit_reliability(*worth, ridge)
    if figures['brier'] >= figures['brier_of_base_rate']:
        rate = np.average(right, weights=data.weights)
        # The terms tell nothing about people that the fit has not seen: the base rate is the honest quality.
        reliability = Reliability(logit(rate), {})
    reliability = replace(reliability, intercept=reliability.intercept + gain, scaling=scaling)
    figures |= {'terms': len(reliability.terms), 'gain': round(gain, 4)}
    card = replace(
        model.card,
        reliability=reliability,
        metrics=model.card.metrics | {'reliability': figures},
    )
    card.save(folder)
    return card


def _members(folder: Path, task: str) -> Members:
    model, head = personalise_model.load(folder, task)
    return Members(head, model.card.training['members'])

"""What a finished model folder is worth, measured through the code that the nodes run; needs no torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from emotion_core import metrics
from emotion_core.model_card import ModelCard
from emotion_core.onnx_model import OnnxModel
from emotion_core.reliability import Reliability
from emotion_training.recipe import HeldOut, Recipe
from emotion_training.reliability_fit import auroc, cross_fit, fit_reliability


def measure_test(recipe: Recipe, folder: Path, command: str) -> ModelCard:
    """Measure a model on the test data and put the figures in its card; gives the new card."""
    model = OnnxModel(folder, recipe.task)
    figures = test_figures(model, recipe.held_out('test'))
    card = replace(model.card, metrics=model.card.metrics | {'test': figures | {'command': command}})
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
    Fit how quality tells the chance of being right on corrupted validation data, and put the fit in the card.

    The fit of the card is made from all of the data; its figures come from fits that have not seen the group (half of
    the images, speaker) that they are measured on.
    """
    model = OnnxModel(folder, recipe.task)
    data = recipe.corrupted()
    probabilities = np.concatenate([model(batch) for batch in data.batches])
    right = probabilities.argmax(axis=1) == data.labels
    chance, base = cross_fit(data.terms, right, data.groups, data.weights)

    def mean(values: np.ndarray) -> float:
        return round(float(np.average(values, weights=data.weights)), 4)

    figures = {
        'n': len(right),
        'right': mean(right),
        'auroc': round(auroc(chance, right), 4),
        'brier': mean((chance - right) ** 2),
        'brier_of_base_rate': mean((base - right) ** 2),
        'by_kind': {
            kind: {
                'n': int(rows.sum()),
                'right': round(float(right[rows].mean()), 4),
                'expected': round(float(chance[rows].mean()), 4),
            }
            for kind in np.unique(data.kinds).tolist()
            for rows in [data.kinds == kind]
        },
        'held_out': f'each of {len(np.unique(data.groups))} groups by a fit on the others',
        'command': command,
    }
    reliability = fit_reliability(data.terms, right, data.groups, data.weights)
    if figures['brier'] >= figures['brier_of_base_rate']:
        rate = np.average(right, weights=data.weights)
        # The terms tell nothing about people that the fit has not seen: the base rate is the honest quality.
        reliability = Reliability(float(np.log(rate / (1 - rate))), {})
    figures['terms'] = len(reliability.terms)
    card = replace(
        model.card,
        reliability=reliability,
        metrics=model.card.metrics | {'reliability': figures},
    )
    card.save(folder)
    return card

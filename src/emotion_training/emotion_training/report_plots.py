"""The figures of a report as SVG that takes its colours from the page, so that light, dark and paper all work."""

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from emotion_core.figures import LINES, MUTED, SERIES, STYLE, svg

NOT_SCORES = ('epoch', 'loss', 'seconds')


def curves(runs: dict[str, list[dict[str, Any]]], best_epoch: int | None) -> str:
    """
    Draw the training loss and the validation scores of each epoch, of one or more trainings.

    :param runs: Name of a training -> its epochs in order, each with 'epoch' and, where they are known, 'loss' and
        scores in [0, 1]; of several trainings only macro-F1 is drawn beside the loss.
    :param best_epoch: Whose weights were kept, when that is one.
    :return: SVG; '' when there is no epoch.
    """
    runs = {name: epochs for name, epochs in runs.items() if epochs}
    if not runs:
        return ''
    with rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.2), layout='constrained')
        left, right = figure.subplots(1, 2)
        left.set_title('training loss')
        right.set_title('on validation data' if len(runs) == 1 else 'macro-F1 on validation data')
        for number, (name, epochs) in enumerate(runs.items()):
            look = {'color': SERIES[number % len(SERIES)], 'linestyle': LINES[number % len(LINES)], 'label': name}
            _line(left, epochs, 'loss', **look)
            if len(runs) > 1:
                _line(right, epochs, 'macro_f1', **look)
                continue
            scores = [
                key for key, value in epochs[-1].items() if key not in NOT_SCORES and isinstance(value, int | float)
            ]
            for place, score in enumerate(sorted(scores, key=lambda key: key != 'macro_f1')):
                color, line = SERIES[place % len(SERIES)], LINES[place % len(LINES)]
                _line(right, epochs, score, color=color, linestyle=line, label=score.replace('_', ' '))
        for axes in (left, right):
            axes.set_xlabel('epoch')
            axes.xaxis.get_major_locator().set_params(integer=True)
            if best_epoch is not None:
                axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle='--', label=f'kept: epoch {best_epoch}')
        right.legend()
        return svg(figure, 'learning curves')


def heard(curve: dict[str, list[dict[str, Any]]]) -> str:
    """
    Draw the accuracy by how many utterances of the same voice were heard before.

    :param curve: Name of a group -> points, each with 'heard_before' and 'accuracy'.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.2), layout='constrained')
        axes = figure.subplots()
        for number, (name, points) in enumerate(curve.items()):
            look = {'color': SERIES[number % len(SERIES)], 'linestyle': LINES[number % len(LINES)]}
            axes.plot(
                range(len(points)),
                [point['accuracy'] for point in points],
                label=name.replace('_', ' '),
                marker='o',
                markersize=4,
                **look,
            )
        longest = max(curve.values(), key=len)
        axes.set_xticks(range(len(longest)), [f'{point["heard_before"]}' for point in longest])
        axes.set(xlabel='utterances heard before, or more', ylabel='accuracy')
        axes.legend()
        return svg(figure, 'accuracy by utterances heard before')


def calibration(value: dict[str, Any]) -> str:
    """
    Draw a reliability diagram, before and after the temperature, over how often each confidence occurs.

    :param value: 'before' and 'after', each with 'error' and 'bins' as ``metrics.calibration_bins`` gives them.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(5.2, 4.4), layout='constrained')
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        top.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle='--', label='as sure as right')
        for side, color, line, marker in (('before', SERIES[1], ':', 's'), ('after', SERIES[0], '-', 'o')):
            bins, error = value[side]['bins'], value[side]['error']
            confidence = [b['confidence'] for b in bins]
            count = np.array([b['n'] for b in bins])
            top.plot(
                confidence,
                [b['accuracy'] for b in bins],
                color=color,
                linestyle=line,
                marker=marker,
                markersize=5,
                label=f'{side} (error {error:.3f})',
            )
            bottom.plot(confidence, 100 * count / count.sum(), color=color, linestyle=line, marker=marker, markersize=4)
        top.set(xlim=(0, 1), ylim=(0, 1), ylabel='share that is right')
        top.legend(loc='upper left')
        bottom.set(xlabel='confidence', ylabel='% of inputs')
        bottom.set_ylim(bottom=0)
        return svg(figure, 'reliability diagram')


def _line(axes, epochs: list[dict[str, Any]], key: str, **look) -> None:
    known = [(epoch['epoch'], epoch[key]) for epoch in epochs if key in epoch]
    if known:
        axes.plot(*zip(*known), marker='o' if len(known) == 1 else None, **look)

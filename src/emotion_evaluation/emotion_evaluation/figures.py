"""Figures of a report as SVG in the colours of the page, so that light, dark and paper all work."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from emotion_core.emotions import EMOTIONS
from emotion_core.figures import GRID, LINES, MUTED, SERIES, STYLE, heat_map, svg


def timeline(name: str, track: Mapping[str, Any]) -> str:
    """
    Draw what was said over time, over ground truth, and what each modality counted.

    :param track: As ``evaluate.track_of`` gives it: 'seconds', for 'face', 'speech' and 'fused' a row of six
        probabilities a moment (NaN: no answer), 'face_weight' and 'speech_weight', and 'truth': (start, end, subject,
        label) in seconds.
    """
    seconds = np.asarray(track['seconds'])
    with rc_context(STYLE | {'axes.grid': False}):
        figure = Figure(figsize=(11, 7.4), layout='constrained')
        rows = figure.subplots(5, 1, sharex=True, height_ratios=(0.7, 2, 2, 2, 1.1))
        _truth(rows[0], track['truth'])
        for axes, source in zip(rows[1:4], ('face', 'speech', 'fused')):
            _heat(axes, seconds, np.asarray(track[source], float), source)
            for start, end, _, label in track['truth']:
                axes.add_patch(
                    Rectangle(
                        (start, EMOTIONS.index(label)), end - start, 1, fill=False, edgecolor=SERIES[1], linewidth=1.5
                    )
                )
        for number, source in enumerate(('face', 'speech')):
            rows[4].plot(
                seconds,
                track[f'{source}_weight'],
                color=SERIES[number],
                linestyle=LINES[number],
                linewidth=1.5,
                label=source,
            )
        rows[4].set(ylim=(-0.05, 1.05), ylabel='weight', xlabel='seconds')
        rows[4].legend(loc='lower left', bbox_to_anchor=(0, 1), borderaxespad=0, ncols=2)
        rows[4].set_xlim(seconds[0] if len(seconds) else 0, seconds[-1] if len(seconds) else 1)
        return svg(figure, f'timeline of {name}')


def reliability(rows: Mapping[str, Sequence[Mapping[str, float]]], errors: Mapping[str, float]) -> str:
    """
    Draw how often each row is right at each confidence.

    :param rows: Name -> bins as ``metrics.calibration_bins`` gives them.
    :param errors: Name -> expected calibration error.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(5.2, 4.4), layout='constrained')
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle='--', label='as sure as right')
        for number, (name, bins) in enumerate(rows.items()):
            axes.plot(
                [b['confidence'] for b in bins],
                [b['accuracy'] for b in bins],
                color=SERIES[number],
                linestyle=LINES[number],
                marker='osD^'[number],
                markersize=5,
                label=f'{name} (error {100 * errors[name]:.1f} %)',
            )
        axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel='share that is right', xlabel='confidence')
        axes.legend(loc='upper left')
        return svg(figure, 'reliability')


def matrix(name: str, values: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> str:
    """
    Draw a table of shares as a heat map, shaded by the share.

    :param values: (rows, columns), [0, 1].
    """
    with rc_context(STYLE | {'axes.grid': False}):
        figure = Figure(figsize=(1.6 + 0.95 * len(columns), 0.6 + 0.29 * len(rows)), layout='constrained')
        axes = figure.subplots()
        heat_map(axes, values, rows, columns, lambda *at: f'{100 * values[at]:.1f}')
        axes.xaxis.tick_top()
        return svg(figure, name)


def _truth(axes: Any, truth: Sequence[tuple[float, float, str, str]]) -> None:
    """Write who shows what, one line a subject."""
    subjects = sorted({subject for _, _, subject, _ in truth})
    for start, end, subject, label in truth:
        place = subjects.index(subject)
        axes.add_patch(Rectangle((start, place), end - start, 0.9, facecolor=SERIES[1], alpha=0.25, linewidth=0))
        axes.text((start + end) / 2, place + 0.45, label, ha='center', va='center', fontsize=8)
    axes.set_ylim(max(len(subjects), 1), 0)
    axes.set_yticks(np.arange(len(subjects)) + 0.45, [subject or 'everyone' for subject in subjects])
    axes.set_title('ground truth')
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _heat(axes: Any, seconds: np.ndarray, probabilities: np.ndarray, name: str) -> None:
    """Draw six rows of bars whose height is the probability."""
    width = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    for row in range(len(EMOTIONS)):
        value = np.nan_to_num(probabilities[:, row]) if len(probabilities) else np.zeros(0)
        axes.fill_between(
            seconds + width / 2, row + 1, row + 1 - 0.95 * value, step='mid', color=SERIES[0], linewidth=0
        )
        axes.axhline(row + 1, color=GRID, linewidth=0.6)
    axes.set_ylim(len(EMOTIONS), 0)
    axes.set_yticks(np.arange(len(EMOTIONS)) + 0.6, EMOTIONS, fontsize=8)
    axes.tick_params(length=0)
    axes.set_title(name)
    axes.spines['left'].set_visible(False)

"""Figures of a report as SVG in the colours of the page (report.css), so that light, dark and paper all work."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from emotion_core.emotions import EMOTIONS

# Stand-ins that matplotlib draws with; each becomes a colour of the page's style sheet.
INK, MUTED, GRID, PAPER, SHADE = '#010101', '#010102', '#010103', '#010104', '#010105'
SERIES = ('#020201', '#020202', '#020203', '#020204', '#020205')  # told apart by their line and marker as well
CSS = {
    INK: 'currentColor',
    MUTED: 'var(--muted)',
    GRID: 'var(--grid)',
    PAPER: 'var(--paper)',
    SHADE: 'var(--shade)',
} | {color: f'var(--series-{i})' for i, color in enumerate(SERIES)}
LINES = ('-', '--', ':', '-.', (0, (5, 1, 1, 1, 1, 1)))
STYLE = {
    'svg.fonttype': 'none',  # text stays text: small, searchable, in the page's font
    'svg.hashsalt': 'emotion',  # equal figures give equal files
    'font.size': 10,
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.edgecolor': MUTED,
    'axes.facecolor': 'none',
    'figure.facecolor': 'none',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.titlesize': 10,
    'axes.titlelocation': 'left',
    'axes.axisbelow': True,
    'grid.color': GRID,
    'xtick.color': MUTED,
    'ytick.color': MUTED,
    'xtick.labelcolor': INK,
    'ytick.labelcolor': INK,
    'legend.frameon': False,
    'lines.linewidth': 2,
}
SHADED = 0.6  # share from which on the paper's colour reads better than the ink


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
        rows[4].legend(loc='upper right', ncols=2)
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
                label=f'{name} (error {errors[name]:.3f})',
            )
        axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel='share that is right', xlabel='confidence')
        axes.legend(loc='upper left')
        return svg(figure, 'reliability')


def confusion(name: str, matrix: Sequence[Sequence[int]]) -> str:
    """Draw a confusion matrix of counts (6, 6): true class down, predicted class across, shaded by share of the row."""
    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with rc_context(STYLE | {'axes.grid': False}):
        figure = Figure(figsize=(5.2, 4.4), layout='constrained')
        axes = figure.subplots()
        for row, column in np.ndindex(matrix.shape):
            part = share[row, column]
            axes.add_patch(Rectangle((column, row), 0.97, 0.97, facecolor=SHADE, alpha=max(part, 0.03), linewidth=0))
            axes.text(
                column + 0.485,
                row + 0.485,
                f'{100 * part:.0f} %\n{matrix[row, column]}',
                ha='center',
                va='center',
                fontsize=9,
                fontweight='bold' if row == column else 'normal',
                color=PAPER if part > SHADED else INK,
            )
        places = np.arange(len(EMOTIONS)) + 0.485
        axes.set(xlim=(0, 6), ylim=(6, 0), xlabel='predicted', ylabel='true', aspect='equal')
        axes.set_xticks(places, EMOTIONS)
        axes.set_yticks(places, EMOTIONS)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return svg(figure, f'confusion matrix: {name}')


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


def svg(figure: Figure, title: str) -> str:
    """Give a figure as an SVG element, as wide as there is room, whose ids are its own, in the colours of the page."""
    file = io.StringIO()
    figure.savefig(file, format='svg', metadata={'Date': None, 'Creator': None, 'Format': None, 'Type': None})
    svg = file.getvalue()[file.getvalue().index('<svg') :]
    svg = re.sub(r'<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>', '', svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf'\g<1>{re.sub("[^a-z0-9]+", "-", title.lower())}-', svg)
    box = re.search(r'viewBox="[^"]*"', svg)[0]
    svg = re.sub(r'<svg [^>]*>', f'<svg {box} role="img" aria-label="{title}" stroke-linejoin="round">', svg, count=1)
    for color, css in CSS.items():
        svg = svg.replace(color, css)
    return svg

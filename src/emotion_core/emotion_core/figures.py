"""What the figures of all reports share: SVG in the colours of the page, so that light, dark and paper all work."""

import io
import re
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from emotion_core.emotions import EMOTIONS

# Stand-ins that matplotlib draws with; each becomes a colour of report.css.
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
CENTRE = 0.485  # of a cell, which is 0.97 wide and high


def confusion(name: str, matrix: Sequence[Sequence[int]]) -> str:
    """Draw a confusion matrix of counts (6, 6): true class down, predicted class across, shaded by share of the row."""
    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with rc_context(STYLE | {'axes.grid': False}):
        figure = Figure(figsize=(5.2, 4.4), layout='constrained')
        axes = figure.subplots()
        texts = heat_map(axes, share, EMOTIONS, EMOTIONS, lambda *at: f'{100 * share[at]:.0f} %\n{matrix[at]}')
        for row in range(len(matrix)):
            texts[row, row].set_fontweight('bold')
        axes.set(xlabel='predicted', ylabel='true', aspect='equal')
        return svg(figure, f'confusion matrix: {name}')


def heat_map(
    axes: Axes, shares: np.ndarray, rows: Sequence[str], columns: Sequence[str], write: Callable[[int, int], str]
) -> np.ndarray:
    """
    Draw a table as cells shaded by their share.

    :param shares: (rows, columns), [0, 1].
    :param write: Gives what to write into the cell of a row and a column.
    :return: What was written, matplotlib's texts (rows, columns).
    """
    texts = np.empty(shares.shape, object)
    for row, column in np.ndindex(shares.shape):
        share = shares[row, column]
        axes.add_patch(Rectangle((column, row), 0.97, 0.97, facecolor=SHADE, alpha=max(share, 0.03), linewidth=0))
        texts[row, column] = axes.text(
            column + CENTRE,
            row + CENTRE,
            write(row, column),
            ha='center',
            va='center',
            fontsize=9,
            color=PAPER if share > SHADED else INK,
        )
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    axes.set_xticks(np.arange(len(columns)) + CENTRE, columns)
    axes.set_yticks(np.arange(len(rows)) + CENTRE, rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return texts


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

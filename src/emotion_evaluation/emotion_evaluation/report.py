"""The report of an evaluation, of bags or of a robustness matrix: one HTML page that stands alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotion_core import metrics
from emotion_core.page import drawing, render
from emotion_evaluation import robustness
from emotion_evaluation.compare import Change
from emotion_evaluation.evaluate import Result
from emotion_evaluation.measure import ROWS

DRAWN = ('face', 'speech', 'fused')
TIMELINES = 20  # of so many bags at most: more would make a page that nobody scrolls


def write(
    path: Path, table: dict[str, Any], results: Sequence[Result], changes: Sequence[Change] = (), old: str = ''
) -> None:
    """
    Write the page.

    :param table: As ``summarise`` gives it.
    :param results: Of the same bags in the same order.
    :param changes: Since the evaluation ``old``.
    :raises EmotionError: when matplotlib or Jinja is missing.
    """
    with drawing():
        from emotion_core.figures import confusion
        from emotion_evaluation import figures

    rows = {
        name: row for name, row in table['all'].get('against_truth', {}).get('rows', {}).items() if 'confusion' in row
    }
    plots = {
        'confusion': {name: confusion(name, row['confusion']) for name, row in rows.items() if name in DRAWN},
        'reliability': figures.reliability(
            {name: row['bins'] for name, row in rows.items()},
            {name: row['calibration_error'] for name, row in rows.items()},
        )
        if rows
        else '',
        'timelines': [
            figures.timeline(f'{number} {result.name}', result.track)
            if number < TIMELINES and result.track.get('seconds')
            else ''
            for number, result in enumerate(results)
        ],
    }
    page = render(
        'emotion_evaluation', 'report.html.j2', **table, meanings=ROWS, plots=plots, changes=changes, compared_with=old
    )
    path.write_text(page, encoding='utf-8')


def write_robustness(path: Path, table: dict[str, Any]) -> None:
    """
    Write the page of a robustness matrix.

    :param table: As ``robustness.measure`` gives it, with 'made' and 'targets'.
    :raises EmotionError: when matplotlib or Jinja is missing.
    """
    with drawing():
        from emotion_evaluation import figures

    cells = table['cells']
    values = np.array([[row['macro_f1'] for row in cell['rows'].values()] for cell in cells.values()])
    plot = figures.matrix('macro-F1 in percent by cell and row', values, list(cells), list(robustness.ROWS))
    path.write_text(
        render(
            'emotion_evaluation', 'robustness.html.j2', **table, meanings=robustness.ROWS, plot=plot, few=metrics.FEW
        ),
        encoding='utf-8',
    )

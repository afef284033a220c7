"""The report of an evaluation, of bags or of a robustness matrix: one HTML page that stands alone."""

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from emotion_core import metrics
from emotion_evaluation import robustness
from emotion_evaluation.compare import Change
from emotion_evaluation.errors import BagError
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
    :raises BagError: when matplotlib or Jinja is missing.
    """
    figures, render = _libraries()
    from emotion_core.figures import confusion

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
    page = render('report.html.j2', table, meanings=ROWS, plots=plots, changes=changes, compared_with=old)
    path.write_text(page, encoding='utf-8')


def write_robustness(path: Path, table: dict[str, Any]) -> None:
    """
    Write the page of a robustness matrix.

    :param table: As ``robustness.measure`` gives it, with 'made' and 'targets'.
    :raises BagError: when matplotlib or Jinja is missing.
    """
    figures, render = _libraries()
    cells = table['cells']
    values = np.array([[row['macro_f1'] for row in cell['rows'].values()] for cell in cells.values()])
    plot = figures.matrix('macro-F1 in percent by cell and row', values, list(cells), list(robustness.ROWS))
    path.write_text(
        render('robustness.html.j2', table, meanings=robustness.ROWS, plot=plot, few=metrics.FEW), encoding='utf-8'
    )


def _libraries() -> tuple[ModuleType, Callable[..., str]]:
    """Give what draws figures, and what fills in a template; raises BagError when matplotlib or Jinja is missing."""
    try:
        import jinja2

        from emotion_evaluation import figures
    except ImportError as error:
        raise BagError(
            f'a report needs matplotlib and Jinja ({error.name} is missing): pip install matplotlib jinja2'
        ) from error
    package = resources.files('emotion_evaluation')

    def render(name: str, table: dict[str, Any], **more: Any) -> str:
        template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(
            package.joinpath(name).read_text(encoding='utf-8')
        )
        return template.render(
            table, css=package.joinpath('report.css').read_text(encoding='utf-8'), caution=metrics.caution, **more
        )

    return figures, render

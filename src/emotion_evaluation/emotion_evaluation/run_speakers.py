"""``emotion evaluate --speakers``."""

import argparse
import shlex
from typing import Any

from rich.console import Console
from rich.table import Table

from emotion_evaluation import speaker_run
from emotion_evaluation.errors import BagError
from emotion_evaluation.evaluate import default_workers, made
from emotion_evaluation.printing import prepare, progress_on, say, show, write_json
from emotion_evaluation.run_evaluate import METRICS


def run(options: argparse.Namespace, arguments: list[str], console: Console) -> int:
    """Measure whose a voice is taken for; gives the exit code."""
    if options.speakers < 2 or options.speakers % 2:
        raise BagError('--speakers must be even and at least 2: the larger face speaks in every second scene')
    prepare(options.out)
    table: dict[str, Any] = {
        'made': {
            **made(shlex.join(['./emotion', 'evaluate', *arguments])),
        },
    }
    with progress_on(console) as progress:
        task = progress.add_task('meetings', total=None)
        table |= speaker_run.measure(
            options.data,
            speaker_run.CHOOSING if options.choose else speaker_run.MEASURING,
            options.speakers,
            options.jobs or default_workers(options.speakers),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    write_json(options.out / METRICS, table)
    _print(console, table)
    say(console, f'{options.out / METRICS}')
    return 0


def _print(console: Console, table: dict[str, Any]) -> None:
    view = Table('%', 'n', 'right', 'largest face', 'by mouth', 'right of those', box=None)
    for name, row in table['conditions'].items():
        figures = (row.get(key, {}) for key in ('right', 'largest_face', 'by_mouth', 'right_by_mouth'))
        view.add_row(name, str(row['by_mouth']['n']), *map(_share, figures))
    show(console, view)
    for title, pair in (('thresholds', table['thresholds']), ('best here', table.get('chosen'))):
        if pair:
            console.print(f'{title}: correlation {pair["correlation"]}, margin {pair["margin"]}', highlight=False)


def _share(row: dict[str, Any]) -> str:
    if 'share' not in row:
        return ''
    low, high = row['interval']
    return f'{100 * row["share"]:.1f} ({100 * low:.0f} to {100 * high:.0f})'

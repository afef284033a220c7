"""``emotion evaluate --dataset``."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from emotion_evaluation import dataset_run, datasets
from emotion_evaluation.errors import BagError
from emotion_evaluation.evaluate import made
from emotion_evaluation.printing import prepare, progress_on, say, show, write_json
from emotion_evaluation.run_evaluate import METRICS, figures_table, guesses, say_caution, span

TITLES = {'alone': 'as they are', 'through_node': 'through the node'}


def run(options: argparse.Namespace, arguments: list[str], console: Console) -> int:
    """Measure a model on a data set; gives the exit code."""
    if options.limit is not None and options.limit < 1:
        raise BagError('--limit must be at least 1')
    if options.data != Path('.') and options.dataset not in datasets.NAMED:
        raise BagError(f"'{options.dataset}' is a path, there is no use for --data: leave it out")
    prepare(options.out)
    with console.status('reading'):
        data = datasets.load(options.dataset, options.data).part(options.limit)
    if options.detector and data.task != datasets.FACE:
        raise BagError('with sounds there is no use for --detector: leave it out')
    with progress_on(console) as progress:
        task = progress.add_task(escape(data.name), total=len(data.items))
        figures = dataset_run.measure(
            data, options.model or '', options.detector or 'auto', lambda done: progress.update(task, completed=done)
        )
    if not figures['alone'].get('n'):
        _say_unread(figures, console)
        say(console, f"nothing could be measured: what is in '{options.out}' stays as it was", 'red')
        return 1
    table: dict[str, Any] = {
        'made': {
            **made(shlex.join(['./emotion', 'evaluate', *arguments])),
            'data_sha256': datasets.sha256_of_items(data.items),
        },
        'dataset': data.name,
        'description': data.description,
        **figures,
    }
    write_json(options.out / METRICS, table)
    view = figures_table('n', 'coverage', 'accuracy', 'macro-F1', '95 %, of', 'ECE', 'right of all')
    for key, title in TITLES.items():
        row = figures[key]
        names = ('accuracy', 'macro_f1', 'calibration_error', 'accuracy_of_all')
        accuracy, f1, error, of_all = (f'{100 * row[name]:.1f}' if name in row else '' for name in names)
        view.add_row(
            title, str(row.get('n', 0)), f'{100 * row["coverage"]:.1f}', accuracy, f1, span(row), error, of_all
        )
    if 'majority' in figures['alone']:
        for name, guessed in guesses(figures['alone']):
            view.add_row(name, '', '', *guessed, style='dim')
    say(console, f'{data.description}; {figures["model"]}')
    show(console, view)
    say_caution(console, (figures[key] for key in TITLES), 'people or files')
    _say_unread(figures, console)
    say(console, f'{options.out / METRICS}')
    return 1 if figures.get('unread') else 0


def _say_unread(figures: dict[str, Any], console: Console) -> None:
    for sentence in figures.get('unread', [])[:5]:
        say(console, f'left out: {sentence}', 'yellow')

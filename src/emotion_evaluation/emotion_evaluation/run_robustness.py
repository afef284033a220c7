"""``emotion evaluate --robustness``."""

import argparse
import shlex
from typing import Any

from rich.console import Console
from rich.table import Table

from emotion_evaluation import robustness
from emotion_evaluation.datasets import sha256_of_items
from emotion_evaluation.errors import BagError
from emotion_evaluation.evaluate import made
from emotion_evaluation.printing import prepare, progress_on, say, show, write_json
from emotion_evaluation.run_evaluate import METRICS, REPORT


def run(options: argparse.Namespace, arguments: list[str], console: Console) -> int:
    """Measure the robustness matrix; gives the exit code."""
    if options.pairs < 2 * len(robustness.VOICES):
        raise BagError(f'--pairs must be at least {2 * len(robustness.VOICES)}')
    prepare(options.out)
    with console.status('reading'):
        pairs = robustness.load(options.data, options.pairs)
        nodes = robustness.Nodes(pairs, options.face_model or '', options.speech_model or '')
    items = {item.name: item for pair in pairs for item in (pair.face, pair.earlier, pair.voice)}
    facts = {  # of the code that runs, before anybody changes it
        **made(shlex.join(['./emotion', 'evaluate', *arguments])),
        'models': nodes.models,
        'data_sha256': sha256_of_items(items[name] for name in sorted(items)),
    }
    with progress_on(console) as progress:
        task = progress.add_task('pairs', total=len(pairs) * len(robustness.CELLS))
        found = robustness.measure(pairs, nodes, progress=lambda: progress.advance(task))
    table: dict[str, Any] = {'made': facts, **found, 'targets': robustness.targets(found)}
    write_json(options.out / METRICS, table)
    if not options.no_report:
        from emotion_evaluation import report

        report.write_robustness(options.out / REPORT, table)
    _print(console, table)
    page = '' if options.no_report else f' and {options.out / REPORT}'
    say(console, f'{options.out / METRICS}{page}')
    return 0


def _print(console: Console, table: dict[str, Any]) -> None:
    view = Table('macro-F1 %', *robustness.ROWS, 'over single', 'over fixed', box=None)
    view.columns[0].no_wrap = True
    for name, cell in table['cells'].items():
        figures = (f'{100 * row["macro_f1"]:.1f}' for row in cell['rows'].values())
        view.add_row(name, *figures, f'{100 * cell["over_single"]:+.1f}', f'{100 * cell["over_fixed"]:+.1f}')
    show(console, view)
    for target in table['targets']:
        missed = f' ({", ".join(target["missed"])})' if target.get('missed') else ''
        verdict = 'met' if target['met'] else 'MISSED'
        console.print(f'{verdict}: {target["target"]}: {100 * target["reached"]:.1f}{missed}', highlight=False)

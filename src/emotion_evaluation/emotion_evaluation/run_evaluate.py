"""``emotion evaluate``."""

import argparse
import os
import shlex
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from emotion_core import metrics
from emotion_evaluation import compare
from emotion_evaluation.bag import find_bags, labels_beside
from emotion_evaluation.errors import BagError
from emotion_evaluation.evaluate import (
    Job,
    Result,
    default_workers,
    evaluate_bag,
    evaluate_bags,
    evaluate_bags_with_dask,
    summarise,
)
from emotion_evaluation.offline import Setup
from emotion_evaluation.printing import prepare, progress_on, say, show, write_json

METRICS, REPORT = 'metrics.json', 'report.html'
WORSE = 3  # exit code


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    """Evaluate; gives 0, 1 when a bag could not be evaluated, or WORSE."""
    console = Console()
    if options.dataset:
        from emotion_evaluation.run_dataset import run as run_dataset

        return run_dataset(options, arguments, console)
    if options.robustness:
        from emotion_evaluation.run_robustness import run as run_robustness

        return run_robustness(options, arguments, console)
    if options.speakers is not None:
        from emotion_evaluation.run_speakers import run as run_speakers

        return run_speakers(options, arguments, console)
    if not options.bags:
        raise BagError('name a bag, or a data set: --dataset; or measure --robustness or --speakers')
    if options.threshold != compare.THRESHOLD and not options.compare:
        raise BagError('without --compare there is no use for --threshold: leave it out')
    old = compare.load(options.compare) if options.compare else None
    bags = [bag for path in options.bags for bag in find_bags(path)]
    setup = make_setup(options)
    jobs = [Job(bag, labels_of(bag, options.labels, len(bags)), tuple(options.remap), setup) for bag in bags]
    prepare(options.out)
    begin = time.monotonic()
    results = _evaluate(jobs, options, console)
    elapsed = time.monotonic() - begin
    table = summarise(results, shlex.join(['./emotion', 'evaluate', *arguments]))
    if all(result.error for result in results):  # nothing that would be worth the figures of before
        _print(console, table, results, elapsed)
        say(console, f"nothing could be evaluated: what is in '{options.out}' stays as it was", 'red')
        return 1
    write_json(options.out / METRICS, table)
    changes = compare.compare(old, table, options.threshold) if old else []
    if not options.no_report:
        from emotion_evaluation import report

        report.write(options.out / REPORT, table, results, changes, str(options.compare or ''))
    _print(console, table, results, elapsed)
    _print_changes(console, changes)
    if old and (others := compare.other_bags(old, table)):
        say(
            console,
            f"'{options.compare}' is of other bags ({others}): figures may differ because of that alone",
            'yellow',
        )
    page = '' if options.no_report else f' and {options.out / REPORT}'
    say(console, f'{options.out / METRICS}{page}')
    if any(result.error for result in results):
        return 1
    return WORSE if any(change.is_past for change in changes) else 0


def make_setup(options: argparse.Namespace) -> Setup:
    """Give the parameters of the nodes that the options ask for."""
    setup = Setup()
    face = {'model': options.face_model, 'detector': options.detector}
    return Setup(
        replace(setup.face, **{name: value for name, value in face.items() if value}),
        replace(setup.speech, **({'model': options.speech_model} if options.speech_model else {})),
        replace(setup.fusion, **({'method': options.fusion_method} if options.fusion_method else {})),
    )


def labels_of(bag: Path, labels: Path | None, bags: int) -> Path | None:
    """Give the CSV file of a bag."""
    beside = labels_beside(bag)
    if labels is None:
        return beside if beside.is_file() else None
    if labels.is_dir():
        return labels / beside.name
    if bags > 1:
        raise BagError(f"'{labels}' is one file for {bags} bags: name a folder that holds a CSV for each")
    return labels


def _evaluate(jobs: list[Job], options: argparse.Namespace, console: Console) -> list[Result]:
    with progress_on(console) as progress:
        if options.dask is None and len(jobs) == 1:
            task = progress.add_task(escape(jobs[0].path.name), total=None)
            cores = len(os.sched_getaffinity(0))

            def advance(seconds: float, total: float) -> None:
                progress.update(task, completed=seconds, total=total)

            return [evaluate_bag(replace(jobs[0], threads=min(cores, 2)), advance)]
        task = progress.add_task('bags', total=len(jobs))

        def done(result: Result) -> None:
            if result.error:
                say(progress.console, f'{result.path}: {result.error}', 'red')
            progress.advance(task)

        single = [replace(job, threads=1) for job in jobs]
        if options.dask is not None:
            return evaluate_bags_with_dask(single, options.dask, done)
        return evaluate_bags(single, options.jobs or default_workers(len(jobs)), done)


def _print(console: Console, table: dict[str, Any], results: list[Result], elapsed: float) -> None:
    for result in results:
        if result.error and len(results) == 1:
            say(console, result.error, 'red')
        for key, sentence in result.entry.get('sentences', {}).items():
            topic = key.partition(':')[0]
            where = '' if sentence.startswith(topic) else f'{topic}: '
            say(console, f'{result.name}: {result.entry["problems"][key]} x {where}{sentence}', 'yellow')
        if 'notice' in result.entry:
            say(console, f'{result.name}: {result.entry["notice"]}', 'yellow')
    everything = table['all']
    if everything['bags'] == 0:
        return
    seconds, bags = everything['seconds'], everything['bags']
    console.print(
        f'{bags} bag{"s" if bags > 1 else ""}, {seconds:.1f} s in {elapsed:.1f} s: {seconds / elapsed:.1f} times real '
        f'time; {everything["frames"]} frames, {_percent(everything["with_face"]) or 0} % with a face',
        highlight=False,
    )
    truth = everything.get('against_truth')
    if truth is None:
        console.print('no ground truth: `./emotion label BAG` writes some', highlight=False)
        return
    view = figures_table('accuracy', 'macro-F1', '95 %, of', 'ECE', 'coverage', 'changes/min', 'locked, after')
    for name, row in truth['rows'].items():
        lock = row.get('lock', {})
        after = '' if lock.get('seconds') is None else f', {lock["seconds"]:.1f} s'
        view.add_row(
            name,
            _percent(row.get('accuracy')),
            _percent(row.get('macro_f1')),
            span(row),
            _percent(row.get('calibration_error')),
            _percent(row['coverage']),
            f'{row["flicker"]:.1f}' if 'flicker' in row else '',
            _percent(lock.get('share')) + after,
        )
    best = next(
        (truth['rows'][name] for name in ('fused', 'face', 'speech') if 'majority' in truth['rows'][name]), None
    )
    if best is not None:
        for name, figures in guesses(best):
            view.add_row(name, *figures, style='dim')
    show(console, view)
    say_caution(console, truth['rows'].values(), 'intervals of ground truth')


def _print_changes(console: Console, changes: list[compare.Change]) -> None:
    if not changes:
        return
    view = Table('since then', 'before', 'now', 'better by', '')
    for change in changes:
        if change.better:
            verdict = 'PAST THE THRESHOLD' if change.is_past else 'worse' if change.better < 0 else 'better'
            view.add_row(change.name, str(change.before), str(change.now), f'{change.better:+.4g}', verdict)
    gone = [change.name for change in changes if change.now is None]
    new = [change.name for change in changes if change.before is None]
    if view.row_count:
        show(console, view)
    elif not gone and not new:
        say(console, 'nothing has changed')
    if gone:
        say(console, f'no longer there, PAST THE THRESHOLD: {_enumerate(gone)}')
    if new:
        say(console, f'not there before: {_enumerate(new)}')


def _enumerate(names: list[str]) -> str:
    return ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')


def _percent(value: float | None) -> str:
    return '' if value is None else f'{100 * value:.1f}'


def figures_table(*headings: str) -> Table:
    """Make a table of figures [%], narrow enough for a terminal of 80 columns."""
    view = Table(box=None, collapse_padding=True, pad_edge=False)
    view.add_column('%', no_wrap=True)
    for heading in headings:
        view.add_column(heading, justify='right', no_wrap=True)
    return view


def guesses(row: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Give the rows of who always says the most frequent emotion, and of who says any: name, accuracy, macro-F1."""
    majority = row['majority']
    yield f'always {majority["label"]}', [_percent(majority['accuracy']), _percent(majority['macro_f1'])]
    yield 'chance', [_percent(row['chance']['accuracy'])]


def span(row: dict[str, Any]) -> str:
    """Give the 95 % interval of macro-F1, and of how many sources it is."""
    if 'interval' not in row:
        return ''
    low, high = row['interval']['macro_f1']
    return f'{100 * low:.0f}–{100 * high:.0f}, {row["interval"]["sources"]}'


def say_caution(console: Console, rows: Iterable[dict[str, Any]], sources: str) -> None:
    """Say that intervals are of too few sources, where they are."""
    if narrow := metrics.caution(rows, sources):
        say(console, narrow)

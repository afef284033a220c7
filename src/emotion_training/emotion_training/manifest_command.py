"""The command ``emotion manifest``: from a corpus as it lies on disk to a manifest, and what is in it."""

import argparse
import csv
import os
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from emotion_core.emotions import EMOTIONS, label_map, to_emotion
from emotion_core.errors import ModelError
from emotion_training import sound
from emotion_training.corpus_source import CorpusSource
from emotion_training.errors import TrainingError
from emotion_training.manifest import DIGITS, Row, file_of, split_hash, write_manifest
from emotion_training.speech_corpora import CORPORA, MISSING, Corpus, SideOf, Survey, agreed, folder_corpus, survey
from emotion_training.splits import SIDES, sides_by_name, sides_by_share

SHARES = (0.15, 0.15)  # of the speakers, to validate and to test on, where none are agreed on
SHOWN = 10  # kinds of problems that are printed; all are in the list beside the manifest
FOLDER = 'folder'
EPILOG = """\
The manifest has the columns path, label, speaker, corpus, split, duration [s] and original_label. Disgust is left
out, calm counts as neutral. Nobody is on two sides. Files that are missing or cannot be read are listed in
NAME.problems.csv beside it.

examples:
{examples}
"""
EXAMPLES = {
    'ravdess': '  %(prog)s ../shared/data/RAVDESS.tar\n'
    '  %(prog)s Audio_Speech_Actors_01-24 --test 01 02 --validation 03',
    'crema': '  %(prog)s CREMA-D\n  %(prog)s ../shared/data/metadata/crema-d --names-only',
    'meld': '  %(prog)s MELD.Raw\n  %(prog)s ../shared/data/metadata/meld --names-only',
    'nemo': '  %(prog)s ../shared/data/nEMO.tar',
    'emodb': '  %(prog)s emodb --shares 0.2 0.2 --seed 3',
    FOLDER: '  %(prog)s my_voices                              my_voices/happy/anna/1.wav\n'
    r"  %(prog)s my_voices --speaker '([a-z]+)_\d+\.wav'  my_voices/happy/anna_1.wav"
    '\n  %(prog)s my_voices --label froh=happy ekel=       other words for emotions; ekel is left out',
}


def make_parser(prog: str = 'emotion manifest') -> argparse.ArgumentParser:
    """Give the parser of the command line."""
    parser = argparse.ArgumentParser(prog=prog, description='List a corpus of voices for training, split by speaker.')
    corpora = parser.add_subparsers(dest='corpus', required=True, metavar='|'.join([*CORPORA, FOLDER]))
    own = folder_corpus(FOLDER)
    for name, corpus in (CORPORA | {FOLDER: own}).items():
        one = corpora.add_parser(
            name,
            help=corpus.title if name in CORPORA else 'your own recordings',
            description=f'{corpus.where}. {corpus.layout}' if name in CORPORA else corpus.layout,
            epilog=EPILOG.format(examples=EXAMPLES[name]),
            formatter_class=_Formatter,
        )
        one.add_argument('source', type=Path, metavar='FOLDER', help='the corpus: a folder, or an uncompressed tar')
        one.add_argument('--out', type=Path, metavar='CSV', help=f'default: {_default_name(name)}')
        one.add_argument('--validation', nargs='+', metavar='SPEAKER', help=_who(corpus.validation, 'validate'))
        one.add_argument('--test', nargs='+', metavar='SPEAKER', help=_who(corpus.test, 'test'))
        one.add_argument(
            '--shares',
            nargs=2,
            type=_share,
            metavar=('VALIDATION', 'TEST'),
            help='draw such parts of the speakers instead'
            + ('' if corpus.validation else f', default: {SHARES[0]} {SHARES[1]}'),
        )
        one.add_argument('--seed', type=int, default=0, help='of the draw, default: %(default)s')
        one.add_argument('--names-only', action='store_true', help='list files that are not here; without durations')
        if name == FOLDER:
            one.add_argument('--name', help='of the corpus; default: that of the folder')
            one.add_argument(
                '--speaker',
                metavar='REGEX',
                help='finds the speaker in a path; default: the folder inside or around the label',
            )
            one.add_argument(
                '--label',
                nargs='+',
                default=[],
                metavar='LABEL=EMOTION',
                help='what a folder means that is not named like an emotion; LABEL= leaves it out',
            )
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps what is one line, and leaves the examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if '\n' in text:
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def main(args: Sequence[str] | None = None, prog: str = 'emotion manifest') -> int:
    """Run the command; gives the exit status. Raises EmotionError when no manifest could be made."""
    options = make_parser(prog).parse_args(args)
    corpus = _corpus(options)
    out = options.out or Path(f'{corpus.name}.csv')
    _check_writable(out)  # now, not after all files are read
    console = Console()
    source = CorpusSource(options.source)
    found = survey(corpus, source, _side_of(corpus, options))
    show_survey(corpus, found, console)
    rows, problems = list(found.rows), dict(found.problems)
    if options.names_only:
        console.print(f'{Counter(problems.values())[MISSING]:,} of them are not here.', highlight=False)
        problems = {path: problem for path, problem in problems.items() if problem != MISSING}
    else:
        rows, damaged = with_durations(rows, source, console)
        problems |= damaged
    _report_problems(problems, out, console)
    if not rows:
        raise TrainingError(
            f"none of the clips of {corpus.title} is in '{options.source}': get them ({corpus.where}), or make a list "
            f'of the names alone with --names-only'
        )
    show_rows(rows, console)
    write_manifest(out, rows)
    console.print(
        f"'{escape(str(out))}' lists {len(rows):,} clips; the split has the hash {split_hash(rows)[:16]}…",
        highlight=False,
    )
    return 0


def with_durations(rows: Sequence[Row], source: CorpusSource, console: Console) -> tuple[list[Row], dict[str, str]]:
    """
    Read every file.

    :param rows: Those whose files are missing are left out without a word: the survey has named them.
    :return: The rows of files that can be read, with durations; and path -> what is wrong with it.
    """
    present = [row for row in rows if file_of(row) in source]
    good, damaged = [], {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(partial(_duration, source), present)
        for row, result in track(zip(present, results), 'Reading', total=len(present), console=console, transient=True):
            if isinstance(result, float):
                good.append(replace(row, duration=result))
            else:
                damaged[row.path] = result
    return good, damaged


def show_survey(corpus: Corpus, found: Survey, console: Console) -> None:
    """Print what there is of a corpus, and what became of its labels."""
    console.print(f'[bold]{corpus.title}[/]: {found.files:,} files of {found.speakers} speakers', highlight=False)
    table = Table('original label', 'becomes', title='Labels', title_justify='left')
    table.add_column('files', justify='right')
    for (original, label), count in sorted(Counter((row.original_label, row.label) for row in found.rows).items()):
        table.add_row(escape(original), label if label == original.lower() else f'[yellow]{label}', f'{count:,}')
    for reason, count in sorted(found.left_out.items()):
        table.add_row(escape(reason), '[dim]left out', f'{count:,}')
    console.print(table)


def show_rows(rows: Sequence[Row], console: Console) -> None:
    """Print the clips of each emotion and side, how uneven they are, and how much sound that is."""
    table = Table('', title='Clips', title_justify='left')
    for side in SIDES:
        table.add_column(side, justify='right')
    table.add_column('all', justify='right')
    table.add_column('share', justify='right')
    sides = {side: [row for row in rows if row.split == side] for side in SIDES} | {'all': list(rows)}
    counts = {side: Counter(row.label for row in chosen) for side, chosen in sides.items()}
    for emotion in EMOTIONS:
        cells = [f'{counts[side][emotion]:,}' for side in sides]
        share = counts['all'][emotion] / len(rows)
        table.add_row(emotion, *cells, f'{share:6.1%}', style='' if share else 'yellow')
    table.add_section()
    table.add_row('clips', *(f'{len(chosen):,}' for chosen in sides.values()), '')
    table.add_row('speakers', *(str(len({row.speaker for row in chosen})) for chosen in sides.values()), '')
    if all(row.duration is not None for row in rows):
        minutes = (sum(row.duration for row in chosen) / 60 for chosen in sides.values())
        table.add_row('minutes', *(f'{value:,.1f}' for value in minutes), '')
    table.add_row('imbalance', *(_imbalance(count) for count in counts.values()), '')
    console.print(table)
    console.print('[dim]imbalance: the most frequent emotion to the rarest that occurs[/]', highlight=False)
    if absent := [emotion for emotion in EMOTIONS if not counts['all'][emotion]]:
        console.print(f'[yellow]Not in it: {", ".join(absent)}: train together with a corpus that has it.')


def _imbalance(counts: Counter) -> str:
    return f'{max(counts.values()) / min(counts.values()):.1f}' if counts else ''


def _check_writable(path: Path) -> None:
    is_new = not path.exists()
    try:
        open(path, 'a').close()
    except OSError as error:
        raise TrainingError(f"'{path}' cannot be written: {error.strerror}; name another file with --out") from error
    if is_new:
        path.unlink()


def _report_problems(problems: dict[str, str], out: Path, console: Console) -> None:
    path = out.with_name(f'{out.stem}.problems.csv')
    if not problems:
        path.unlink(missing_ok=True)  # of an earlier run
        return
    by_kind: dict[str, list[str]] = {}
    for file, problem in sorted(problems.items()):
        by_kind.setdefault(_kind(file, problem), []).append(file)
    kinds = sorted(by_kind.values(), key=len)  # what happens once comes first
    listed = [(file, problems[file]) for files in kinds for file in files]
    console.print(f'[red]{len(problems):,} files cannot be used:', highlight=False)
    for files in kinds[:SHOWN]:
        count = f'{len(files):,} files, such as ' if len(files) > 1 else ''
        console.print(f'  {count}{escape(f"{files[0]}: {problems[files[0]]}")}', highlight=False, soft_wrap=True)
    if len(kinds) > SHOWN:
        console.print(f'  … and {sum(map(len, kinds[SHOWN:])):,} more')
    with open(path, 'w', encoding='utf-8', newline='') as file:
        csv.writer(file).writerows([('path', 'problem'), *listed])
    console.print(f"All of them are in '{escape(str(path))}'.", highlight=False, soft_wrap=True)


def _kind(file: str, problem: str) -> str:
    """Give what is the same in the problems of several files: without the file's name and numbers."""
    return re.sub(r'\d+', '0', problem.replace(Path(file).name, ''))


def _duration(source: CorpusSource, row: Row) -> float | str:
    """Give the length of a clip [s], or what is wrong with it."""
    try:
        samples, rate = sound.decode(source.read(file_of(row)), Path(row.path).name)
    except TrainingError as error:
        return str(error)
    except OSError as error:
        return f'cannot be read: {error.strerror}'
    seconds = len(samples) / rate
    return seconds if round(seconds, DIGITS) > 0 else f'lasts {seconds * 1000:.2f} ms, which is no utterance'


def _corpus(options: argparse.Namespace) -> Corpus:
    if options.corpus != FOLDER:
        return CORPORA[options.corpus]
    labels = label_map('--label', options.label)
    for label, emotion in labels.items():
        try:
            to_emotion(emotion or 'neutral')
        except ModelError as error:
            raise TrainingError(
                f"--label {label}={emotion}: '{emotion}' is none of {', '.join(EMOTIONS)}; {label}= leaves it out"
            ) from error
    name = options.name or re.sub(r'[^a-z0-9]+', '_', options.source.resolve().stem.lower()).strip('_')
    if '/' in name or not name:
        raise TrainingError(f"'{name}' cannot be the name of a corpus: give a plain word with --name")
    if name in CORPORA:
        raise TrainingError(f"'{name}' is the name of a known corpus: `./emotion manifest {name}`, or another --name")
    return folder_corpus(name, options.speaker, labels)


def _side_of(corpus: Corpus, options: argparse.Namespace) -> SideOf:
    named = options.validation is not None or options.test is not None
    if named and options.shares is not None:
        raise TrainingError('--shares draws speakers, --validation and --test name them: give one or the other')
    if named:
        return partial(
            sides_by_name,
            validation=corpus.validation if options.validation is None else options.validation,
            test=corpus.test if options.test is None else options.test,
        )
    if corpus.validation and options.shares is None:
        return agreed(corpus)
    validation, test = options.shares or SHARES
    return partial(sides_by_share, validation=validation, test=test, seed=options.seed)


def _default_name(corpus: str) -> str:
    return 'NAME.csv' if corpus == FOLDER else f'{corpus}.csv'


def _who(speakers: Sequence[str], verb: str) -> str:
    return f'to {verb} on' + (f', default: {" ".join(speakers)}' if speakers else '')


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f'{text} is no part of the speakers: give a number from 0 to below 1')
    return value

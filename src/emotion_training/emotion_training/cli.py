"""The command ``emotion_training fer|ser``: train, export, measure."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from emotion_core.errors import EmotionError
from emotion_training import fer2013, personalise, raf_db, speech_corpora
from emotion_training.errors import TrainingError
from emotion_training.fer import BEGAN_AS, FerRecipe
from emotion_training.fer_resnet50 import ResNetRecipe
from emotion_training.parallel import MOST_THREADS, RANK, THREADS
from emotion_training.recipe import Recipe
from emotion_training.ser import PRETRAINED, SerRecipe
from emotion_training.ser_wavlm import START, WavlmRecipe

WAVLM = 'wavlm'
COMPACT = 'compact'  # the tier that ships
TIERS = {'fer': {COMPACT: FerRecipe, 'resnet50': ResNetRecipe}, 'ser': {COMPACT: SerRecipe, WAVLM: WavlmRecipe}}
WEIGHTS = {
    'fer': "resnet50: torchvision's ImageNet weights (.pth); default: downloaded, or random without a network",
    'ser': f'wavlm: a WavLM of Hugging Face, its folder or hub id; default: {START}',
}  # what --weights names
COMMAND_FILE = 'command.txt'  # what trained a run, as the card tells it
STEPS = ('train', 'export', 'test', 'reliability', 'report')
EPILOG = """\
steps:
  train        to RUNS/<model>/best.pt, choosing the epoch by macro-F1 on the validation data; Ctrl-C is safe at any
               time, and the same command goes on
  export       to a model folder with model.onnx and model.json: checked against torch, calibrated on validation data
  test         measure the exported model on the test data; the figures go into model.json
  reliability  fit how quality tells the chance of being right, on corrupted validation data; the fit goes into
               model.json
  report       RUNS/<model>/report.html, a page that stands alone, and the same as report.json

examples:
  %(prog)s --data ../shared/data --out runs
  %(prog)s --data ../shared/data --out runs --epochs 5
  %(prog)s --data ../shared/data --out runs --only export test
  %(prog)s --data ../shared/data --out runs --only report --export-to FOLDER
"""
TIER_EXAMPLES = {
    'fer': """\
  %(prog)s --tier resnet50 --data FOLDER_WITH_RAF-DB_OR_FER2013 --out runs --threads 8
  %(prog)s --tier resnet50 --data FOLDER --out runs --weights resnet50-11ad3fa6.pth
""",
    'ser': """\
  %(prog)s --tier wavlm --manifest ravdess.csv crema.csv meld.csv --data FOLDER --threads 8
  %(prog)s --tier wavlm --manifest ravdess.csv --data ../shared/data --weights wavlm-base/
""",
}


def make_parser(prog: str = 'python -m emotion_training') -> argparse.ArgumentParser:
    """Give the parser of the command line."""
    parser = argparse.ArgumentParser(prog=prog, description='Train the compact models, export them and measure them.')
    models = parser.add_subparsers(dest='model', required=True, metavar='fer|ser')
    for name, help_text in (
        ('fer', 'faces: fer_compact, on FER2013'),
        ('ser', 'voices: ser_compact, on RAVDESS and nEMO'),
    ):
        model = models.add_parser(
            name,
            help=help_text,
            description='\n'.join(f'{tier + ":":10}{recipe.__doc__}' for tier, recipe in TIERS[name].items()),
            epilog=f'{EPILOG}{TIER_EXAMPLES[name]}\n{personalise.EPILOG}',
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        model.add_argument('--data', type=Path, metavar='FOLDER', help='holds the corpora')
        model.add_argument(
            '--out', type=Path, default=Path('runs'), metavar='RUNS', help='where checkpoints go, default: %(default)s'
        )
        defaults = ', '.join(f'{recipe.epochs} ({tier})' for tier, recipe in TIERS[name].items())
        model.add_argument('--tier', choices=TIERS[name], default=COMPACT, help='default: %(default)s')
        if WAVLM in TIERS[name]:
            model.add_argument(
                '--manifest', nargs='+', type=Path, metavar='CSV', help='wavlm: what `./emotion manifest` wrote'
            )
        if name == 'fer':
            model.add_argument(
                '--backgrounds',
                type=Path,
                metavar='FOLDER',
                help='compact: photographs without people, to learn what is no face; default: all crops are faces',
            )
        if name in WEIGHTS:
            model.add_argument('--weights', metavar='WEIGHTS', help=f'to begin with; {WEIGHTS[name]}')
        model.add_argument('--epochs', type=_positive, help=f'default: {defaults}')
        model.add_argument(
            '--threads',
            type=_positive,
            default=THREADS,
            help=f'of the CPU, default: one for each core up to {MOST_THREADS}, here %(default)s',
        )
        model.add_argument(
            '--only',
            nargs='+',
            choices=STEPS,
            default=STEPS,
            metavar='STEP',
            help=f'do only these steps of {", ".join(STEPS)}',
        )
        model.add_argument('--export-to', type=Path, metavar='FOLDER', help='model folder; default: RUNS/<model>/model')
        personalise.add_arguments(model, name, TIERS[name][COMPACT].name)
    return parser


def main(args: Sequence[str] | None = None, prog: str = 'python -m emotion_training') -> int:
    """Run the command; gives the exit status."""
    parser = make_parser(prog)
    options = parser.parse_args(args)
    if options.personalise is None and (options.manifest if options.tier == WAVLM else options.data) is None:
        Console(stderr=True).print(data_needed(options.model), markup=False, highlight=False, soft_wrap=True)
        return 2
    if options.personalise is not None and options.epochs:
        parser.error('--epochs is for training: --personalise stops by itself')
    if options.personalise is not None and options.tier != COMPACT:
        parser.error('--tier is for training: which model --personalise adapts is said with --model')
    if options.tier == COMPACT and getattr(options, 'weights', None):
        parser.error('--weights is for another --tier: compact models fetch what they begin with')
    if options.tier != WAVLM and getattr(options, 'manifest', None):
        parser.error(f'--manifest is for --tier {WAVLM}')
    options.epochs = options.epochs or TIERS[options.model][options.tier].epochs
    console = Console(quiet=RANK > 0)
    try:
        _run(options, console)
    except EmotionError as error:
        return _failed(str(error))
    except OSError as error:
        if not error.filename:
            raise
        return _failed(f"'{error.filename}' cannot be read or written: {error.strerror}")
    except KeyboardInterrupt:
        return 130
    return 0


def _failed(sentence: str) -> int:
    """Say what went wrong, in any process of several; gives the exit status."""
    who = f'process {RANK}: ' if RANK > 0 else ''
    Console(stderr=True).print(f'[red]{who}{escape(sentence)}', highlight=False, soft_wrap=True)
    return 1


def _run(options: argparse.Namespace, console: Console) -> None:
    if options.personalise is not None:
        personalise.run(options.model, options.personalise, options.parent, options.name, options.force, console)
        return
    if options.data is not None and not options.data.is_dir():
        what = 'is a file' if options.data.exists() else 'is not there'
        raise TrainingError(f"'{options.data}' {what}: name the folder that holds the corpora with --data")
    recipe = _recipe(options)
    run = options.out / recipe.name
    folder = options.export_to or run / 'model'
    if 'train' in options.only:
        _need_torch()
        try:
            recipe.train(run, options.epochs, options.threads, console)
        finally:  # after Ctrl-C, too
            _remember_command(options, run)
    if RANK > 0:  # the first process does what is left
        return
    if 'export' in options.only:
        _need_torch()
        from emotion_training.export import export

        with console.status('Exporting'):
            difference = export(recipe, run, folder, _remembered_command(options, run))
        differ = f'in float32 its logits differ from torch by at most {difference:.1e}.'
        console.print(f"'{escape(str(folder))}' holds the model; {differ}")
    if 'test' in options.only or 'reliability' in options.only:
        from emotion_training import measure

        for step, function in (('test', measure.measure_test), ('reliability', measure.measure_reliability)):
            if step in options.only:
                with console.status(f'Measuring: {step}'):
                    card = function(recipe, folder, _command(options, step))
                console.print(step, card.metrics[step])
    if 'report' in options.only:
        from emotion_training.report import write_report

        with console.status('Measuring: report'):
            page = write_report(recipe, run, folder, _command(options, 'report'))
        console.print(f'The report is in {escape(str(page))}', soft_wrap=True, highlight=False)


def _recipe(options: argparse.Namespace) -> Recipe:
    make = TIERS[options.model][options.tier]
    run = options.out / make.name
    if options.tier == COMPACT:
        return make(options.data, options.backgrounds) if options.model == 'fer' else make(options.data)
    if options.tier == WAVLM:
        return make(options.manifest, options.data, run, options.weights)
    return make(options.data, run, options.weights)


def data_needed(model: str) -> str:
    """Say what data a model learns from, where to get it, and how to name it."""
    if model == 'fer':
        return (
            f'Training for faces needs data, of which none comes with the project. Name its folder with --data.\n\n'
            f'FER2013: {fer2013.LAYOUT}.\n  From: kaggle.com, "Challenges in Representation Learning: Facial '
            f'Expression Recognition".\n  {fer2013.LICENCE}.\n\n'
            f'RAF-DB (--tier resnet50 alone): {raf_db.LAYOUT}.\n  From: whdeng.cn/RAF, or its copies on kaggle.com.\n'
            f'  {raf_db.LICENCE}.\n\n'
            f'fer_compact begins with weights that training fetches with npm, 28 MB: {BEGAN_AS}.\n\n'
            f'  ./emotion train fer --data FOLDER\n  ./emotion train fer --tier resnet50 --data FOLDER\n'
            f'  ./emotion train fer --help'
        )
    compact = '\n\n'.join(
        f'{name}/ or {name}.tar: {corpus.where}.\n  {corpus.layout}'
        for name, corpus in (('RAVDESS', speech_corpora.RAVDESS), ('nEMO', speech_corpora.NEMO))
    )
    return (
        f'Training for voices needs data, of which none comes with the project. Name the folder of both with '
        f'--data.\n\n'
        f'{compact}\n\n'
        f'ser_compact begins with weights that training fetches from PyPI, 12 MB: {PRETRAINED}.\n\n'
        f'--tier wavlm learns from any corpora of which there is a manifest with all six emotions: '
        f'./emotion manifest --help.\n\n'
        f'  ./emotion train ser --data FOLDER\n'
        f'  ./emotion manifest ravdess FOLDER/RAVDESS.tar\n'
        f'  ./emotion train ser --tier wavlm --manifest ravdess.csv --data FOLDER\n'
        f'  ./emotion train ser --help'
    )


def _command(options: argparse.Namespace, *steps: str) -> str:
    """Give the command that makes this step again; the user's own folders are no business of a card."""
    epochs = ['--epochs', str(options.epochs)] if 'train' in steps else []
    named = [name for name in ('backgrounds', 'weights') if getattr(options, name, None)]
    return shlex.join(
        [
            'python',
            '-m',
            'emotion_training',
            options.model,
            *(['--tier', options.tier] if options.tier != COMPACT else []),
            *(['--manifest', *(path.name for path in options.manifest)] if options.tier == WAVLM else []),
            '--data',
            'DATA',
            *(word for name in named for word in (f'--{name}', name.upper())),
            '--out',
            'RUNS',
            *epochs,
            '--only',
            *steps,
        ]
    )


def _remember_command(options: argparse.Namespace, run: Path) -> None:
    """Write down what trained a run, once: it goes on with equal settings only."""
    path = run / COMMAND_FILE
    if RANK == 0 and not path.is_file() and any(run.rglob('*.pt')):
        path.write_text(f'{_command(options, "train", "export")}\n')


def _remembered_command(options: argparse.Namespace, run: Path) -> str:
    path = run / COMMAND_FILE
    return path.read_text().strip() if path.is_file() else _command(options, 'train', 'export')


def _need_torch() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise TrainingError(
            f'training and export need PyTorch and ONNX ({error.name} is missing): pip install torch onnx onnxscript'
        ) from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)

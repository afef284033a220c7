"""``emotion models``: what is in the store, getting more, checking it."""

import argparse
import os
import shlex
import subprocess
from collections.abc import Sequence
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
from rich.table import Table

from emotion_core.commands import up_with
from emotion_core.emotions import label_map
from emotion_core.errors import EmotionError, ModelError
from emotion_core.model_card import MODEL_FILE, ModelCard
from emotion_core.store import FETCHABLE, ModelStore
from emotion_training import importing
from emotion_training.importing import Wish

CONVERTERS = ('torch', 'torchvision', 'onnx', 'onnxscript', 'transformers')


def print_models() -> int:
    """Print all models with their licences, and those that can be fetched."""
    store, console = ModelStore(), Console()
    table = Table('name', 'task', 'size', 'where')
    found, licences = store.list(), {}
    for name, folder in sorted(found.items()):
        try:
            card = ModelCard.load(folder)
            size = (folder / MODEL_FILE).stat().st_size
            where = str(folder) if folder.parent == store.root else 'bundled'
            table.add_row(name, card.task, f'{size / 1e6:.1f} MB', where)
            licences[name] = card.licence
        except (ModelError, OSError) as error:
            table.add_row(name, '[red]damaged[/]', '', str(error))
    for name in sorted(FETCHABLE.keys() - found.keys()):
        table.add_row(name, FETCHABLE[name].card.task, '', f'[dim]./emotion models fetch {name}[/]')
    table.columns[-1].overflow = 'fold'
    console.print(table)
    for name, licence in licences.items():
        console.print(f'{name}: {licence}', highlight=False, markup=False)
    return 0


def fetch(name: str, file: str | None) -> int:
    """
    Bring a public model into the store.

    :raises ModelError: when that fails; the store is then as it was.
    """
    with Progress(
        '{task.description}', BarColumn(), DownloadColumn(), TransferSpeedColumn(), transient=True
    ) as progress:
        task = progress.add_task(name, total=None)
        folder = ModelStore().fetch(
            name,
            file=Path(file) if file else None,
            progress=lambda done, total: progress.update(task, completed=done, total=total or None),
        )
    print(f"'{name}' is in {folder}")
    return 0


def import_model(options: argparse.Namespace) -> int:
    """
    Bring a model that others made into the store.

    :raises EmotionError: when that fails; the store is then as it was.
    """
    wish = Wish(
        source=options.source,
        name=options.name,
        labels=tuple(label.strip() for label in options.labels.split(',') if label.strip()),
        label_map=label_map('--label-map', options.label_map),
        card=options.card,
        sha256=options.sha256,
        replaces=options.replace,
        data=options.data,
        command=_command(options),
    )
    console = Console()
    with console.status('Importing') as status:

        def get_torch() -> None:
            status.stop()
            install_training()
            status.start()

        folder = importing.import_model(
            ModelStore(),
            wish,
            lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True),
            get_torch,
        )
    card = ModelCard.load(folder)
    print(f"'{card.name}' is in {folder}")
    if card.task != 'face_detection':
        print(f'To use it: {up_with(card.task, card.name)}')
    return 0


def _command(options: argparse.Namespace) -> str:
    """Give the command for the card; the user's own folders are no business of it."""
    words = ['./emotion', 'models', 'import', Path(options.source).name]
    words += ['--labels', options.labels] if options.labels else []
    words += ['--label-map', *options.label_map] if options.label_map else []
    words += ['--data', 'DATA'] if options.data else []
    return shlex.join(words)


def install_training() -> None:
    """
    Have this environment complete with what converts models, where ``./emotion`` made it.

    :raises EmotionError: when it is not complete and cannot be made so.
    """
    if all(find_spec(name) for name in CONVERTERS):
        return
    script = Path(__file__).resolve().parents[2] / 'emotion'
    if 'EMOTION_ROS_STATE' not in os.environ or not script.is_file():
        raise EmotionError(f'converting models needs PyTorch and more: pip install {" ".join(CONVERTERS)}')
    if subprocess.call([script, 'env', '--training'], stdout=subprocess.DEVNULL):
        raise EmotionError('what converts models could not be installed: nothing was imported')
    invalidate_caches()


def verify(names: Sequence[str]) -> int:
    """Check models against their cards; gives 1 when one is not what its card says."""
    store, code = ModelStore(), 0
    for name in names or sorted(store.list()):
        try:
            print(f'{name}: good ({store.verify(name).identity})')
        except ModelError as error:
            print(error)
            code = 1
    return code

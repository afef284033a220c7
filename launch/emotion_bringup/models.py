"""``emotion models``: what is in the store, getting more, checking it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
from rich.table import Table

from emotion_core.errors import ModelError
from emotion_core.model_card import MODEL_FILE, ModelCard
from emotion_core.store import FETCHABLE, ModelStore


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

"""How the commands print and write."""

import json
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from emotion_evaluation.errors import BagError

WIDE = 200  # columns of a table in a pipe or a file, which rich would cut at 80


def say(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence as it stands, in one line: names in it, of topics and files, are no markup of rich."""
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=True)


def show(console: Console, table: Table) -> None:
    """Print a table: on a terminal as wide as that is, elsewhere as wide as it needs to be."""
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    console.print(table)


def progress_on(console: Console) -> Progress:
    """Give the bar of long work, which goes when it is done."""
    columns = (TextColumn('{task.description}'), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def prepare(folder: Path) -> None:
    """
    Make the folder for what will be found, before the work that finds it.

    :raises BagError: when nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise BagError(
            f"cannot write to the folder '{folder}': {error.strerror}; choose another one with --out"
        ) from error


def write_json(path: Path, table: dict[str, Any]) -> None:
    """
    Write a table so that equal ones give equal bytes.

    :raises BagError: when it cannot be written.
    """
    try:
        path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    except OSError as error:
        raise BagError(f"cannot write '{path}': {error.strerror}") from error

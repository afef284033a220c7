"""``emotion devices``: cameras and microphones with the values to pass."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from emotion_drivers.devices import cameras, microphones


def print_devices() -> int:
    """Print two tables."""
    console = Console()
    _print_table(console, 'camera', cameras)
    _print_table(console, 'microphone', microphones)
    console.print('A file does as well: [bold]./emotion up camera:=clip.mp4 microphone:=clip.mp4[/]')
    return 0


def _print_table(console: Console, kind: str, find: Callable) -> None:
    found = find()
    if not found:
        console.print(f'no {kind} on this machine')
        return
    table = Table('pass', 'name', 'details', title=f'{kind}s', title_justify='left')
    for device in found:
        table.add_row(f'{kind}:={device.value}', device.name, device.details)
    console.print(table)

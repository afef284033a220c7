"""How the commands print."""

from rich.console import Console


def say(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence as it stands, in one line: names in it, of topics and files, are no markup of rich."""
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=True)

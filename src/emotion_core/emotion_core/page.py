"""Pages of reports: HTML that stands alone, in the colours of report.css."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

from emotion_core import metrics
from emotion_core.errors import EmotionError


@contextmanager
def drawing() -> Iterator[None]:
    """Import inside it what draws and fills in; raises EmotionError when matplotlib or Jinja is missing."""
    try:
        import jinja2  # noqa: F401

        yield
    except ImportError as error:
        raise EmotionError(
            f'a report needs matplotlib and Jinja ({error.name} is missing): pip install matplotlib jinja2'
        ) from error


def render(package: str, template: str, **values: Any) -> str:
    """Fill in a template of a package; it has ``css`` and ``metrics.caution``, all else that it names must be given."""
    import jinja2

    def text(package: str, name: str) -> str:
        return resources.files(package).joinpath(name).read_text(encoding='utf-8')

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(text(package, template)).render(
        values, css=text('emotion_core', 'report.css'), caution=metrics.caution
    )

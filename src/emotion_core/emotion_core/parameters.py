"""Parameters as frozen dataclasses: default, meaning, unit and range are stated once."""

from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from emotion_core.errors import EmotionError


class ParameterError(EmotionError):
    """A parameter of the wrong type or out of its range."""


@dataclass(frozen=True)
class Description:
    """What a person needs to know to set a parameter."""

    name: str
    type: type
    default: Any
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False


def param(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Any:
    """
    Declare one parameter of a frozen dataclass.

    :param doc: One sentence, with the unit in brackets where there is one.
    :param low: Smallest value, included.
    :param high: Largest value, included.
    :param choices: The only strings allowed.
    :param read_only: Set at start only.
    """
    return field(
        default=default, metadata={'doc': doc, 'low': low, 'high': high, 'choices': choices, 'read_only': read_only}
    )


def describe(parameters: type) -> list[Description]:
    """List the parameters of a dataclass made with ``param``, in order."""
    descriptions = []
    for item in fields(parameters):
        assert item.default is not MISSING, f'{item.name} needs a default'
        descriptions.append(Description(item.name, type(item.default), item.default, **item.metadata))
    return descriptions


def check(parameters: type, name: str, value: Any) -> Any:
    """
    Check one value, and give it in the parameter's type.

    :raises ParameterError: with a sentence that says what is allowed.
    """
    known = {description.name: description for description in describe(parameters)}
    if name not in known:
        raise ParameterError(f"there is no parameter '{name}'; known are {', '.join(sorted(known))}")
    description = known[name]
    if description.type is float and type(value) is int:
        value = float(value)  # `param:=1` means 1.0
    if description.type is str and type(value) in (int, float):
        value = str(value)  # `source:=0` means '0'
    if type(value) is not description.type:
        raise ParameterError(f"parameter '{name}' must be a {description.type.__name__}, not {value!r}")
    if description.choices and value not in description.choices:
        raise ParameterError(f"parameter '{name}' must be one of {', '.join(description.choices)}, not '{value}'")
    low, high = description.low, description.high
    if (low is not None and not value >= low) or (high is not None and not value <= high):  # also refuses NaN
        raise ParameterError(
            f"parameter '{name}' must be in [{'-inf' if low is None else low}, "
            f'{"inf" if high is None else high}], not {value}'
        )
    return value

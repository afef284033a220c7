from dataclasses import dataclass

import pytest

from emotion_core.parameters import ParameterError, check, describe, param


@dataclass(frozen=True)
class Example:
    seconds: float = param(1.0, 'How long [s].', low=0.1, high=10.0)
    frames: int = param(3, 'How many.', low=1)
    method: str = param('a', 'Which.', choices=('a', 'b'))
    loud: bool = param(False, 'Whether.')


def test_description_comes_from_the_one_place():
    seconds = describe(Example)[0]
    assert (seconds.name, seconds.type, seconds.default, seconds.doc, seconds.low, seconds.high) == (
        'seconds',
        float,
        1.0,
        'How long [s].',
        0.1,
        10.0,
    )


def test_whole_number_is_taken_for_a_float():
    value = check(Example, 'seconds', 2)
    assert value == 2.0 and type(value) is float


def test_number_is_taken_for_a_string():
    with pytest.raises(ParameterError, match="not '0'"):
        check(Example, 'method', 0)


@pytest.mark.parametrize(
    'name, value, sentence',
    [
        ('seconds', 11.0, r'must be in \[0.1, 10.0\], not 11.0'),
        ('seconds', float('nan'), r'must be in \[0.1, 10.0\]'),
        ('seconds', 'x', "must be a float, not 'x'"),
        ('frames', 0, r'must be in \[1, inf\]'),
        ('frames', True, 'must be a int'),
        ('method', 'c', "must be one of a, b, not 'c'"),
        ('loud', 1, 'must be a bool'),
        ('volume', 1, "there is no parameter 'volume'; known are frames, loud"),
    ],
)
def test_refusals_say_what_is_allowed(name, value, sentence):
    with pytest.raises(ParameterError, match=sentence):
        check(Example, name, value)

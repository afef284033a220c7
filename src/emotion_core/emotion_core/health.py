"""What a node knows of its own state: counts, rates, latencies, and the problems it met."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

RECENT_S = 5.0  # a problem this recent makes the node's status a warning
LOG_EVERY_S = 5.0  # a kind of problem is logged at most this often
WINDOW = 300  # newest values that percentiles are taken of


@dataclass
class Health:
    """Counts what happens and remembers problems; times are those of ``clock`` in seconds."""

    clock: Callable[[], float] = time.monotonic
    counts: Counter = field(default_factory=Counter)
    problems: Counter = field(default_factory=Counter)
    last_problem: str = ''
    _last_problem_at: float = float('-inf')
    _logged_at: dict[str, float] = field(default_factory=dict)
    _samples: dict[str, deque] = field(default_factory=dict)
    _alive_at: dict[str, float] = field(default_factory=dict)

    def count(self, name: str) -> None:
        """Count one event, such as a received frame."""
        self.counts[name] += 1
        self._alive_at[name] = self.clock()

    def observe(self, name: str, value: float) -> None:
        """Keep one measurement, such as a latency in ms."""
        self._samples.setdefault(name, deque(maxlen=WINDOW)).append(value)

    def problem(self, kind: str, sentence: str) -> bool:
        """Count a problem; True when it is time to log one of this kind again."""
        now = self.clock()
        self.problems[kind] += 1
        self.last_problem, self._last_problem_at = sentence, now
        if now - self._logged_at.get(kind, float('-inf')) < LOG_EVERY_S:
            return False
        self._logged_at[kind] = now
        return True

    def seconds_since(self, name: str) -> float:
        """Give the seconds since ``count(name)`` was last called; infinity when it never was."""
        return self.clock() - self._alive_at.get(name, float('-inf'))

    @property
    def recent_problem(self) -> str:
        """The last problem's sentence while it is recent, otherwise ''."""
        return self.last_problem if self.clock() - self._last_problem_at < RECENT_S else ''

    def values(self) -> dict[str, str]:
        """Give everything as the key-value pairs of a diagnostic status."""
        values = {name: str(count) for name, count in sorted(self.counts.items())}
        for name, samples in sorted(self._samples.items()):
            p50, p95 = np.percentile(samples, (50, 95))
            values[f'{name}_p50'], values[f'{name}_p95'] = f'{p50:.1f}', f'{p95:.1f}'
        values |= {f'problem: {kind}': str(count) for kind, count in sorted(self.problems.items())}
        return values

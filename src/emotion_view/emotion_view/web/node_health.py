"""How the nodes are, by what they say on /diagnostics; no ROS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SILENT_S = 3.0  # nodes speak once a second
FORGET_S = 600.0  # a node that fell silent longer ago is no longer listed
STATES = ('ok', 'warn', 'error', 'silent')  # the levels of diagnostic_msgs/DiagnosticStatus, STALE last
LATENCIES = ('latency_ms', 'delay_ms')
OWN = re.compile(r'(.*/)?(emotion_\w+|camera|microphone)')  # nodes of this project: others speak as seldom as they like


@dataclass
class _Node:
    state: str
    message: str
    values: dict[str, str]
    heard_at: float
    counts: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)  # [Hz]


def _counts(values: Mapping[str, str]) -> dict[str, int]:
    return {name: int(value) for name, value in values.items() if value.isdecimal() and not name.startswith('problem')}


class NodeHealth:
    """Keeps the newest status of each node; times are those of one clock in seconds."""

    def __init__(self, namespace: str = ''):
        """Listen to the nodes of a namespace; empty: to all."""
        self._prefix = namespace.strip('/') + '/' if namespace.strip('/') else ''
        self._nodes: dict[str, _Node] = {}

    def add(self, name: str, level: int, message: str, values: Mapping[str, str], now: float) -> None:
        """Take one status; ``name`` is the node's full name without the first slash."""
        if not name.startswith(self._prefix):
            return
        old = self._nodes.get(name)
        new = _Node(STATES[min(level, len(STATES) - 1)], message, dict(values), now, _counts(values))
        if old and now > old.heard_at:
            new.rates = {
                count: (number - old.counts[count]) / (now - old.heard_at)
                for count, number in new.counts.items()
                if number >= old.counts.get(count, number + 1)
            }
        self._nodes[name] = new

    def is_silent(self, name: str, now: float) -> bool:
        """Tell whether a node that was heard of says nothing any more."""
        node = self._nodes.get(name.strip('/'))
        return node is not None and now - node.heard_at > SILENT_S

    def message(self, name: str) -> str:
        """Give what a node of this namespace complains of, or ''."""
        node = self._nodes.get(self._prefix + name)
        return node.message if node and node.state in ('warn', 'error') else ''

    def view(self, now: float) -> list[dict[str, Any]]:
        """Give one row per node of this project, by name."""
        self._nodes = {name: node for name, node in self._nodes.items() if now - node.heard_at < FORGET_S}
        return [self._row(name, node, now) for name, node in sorted(self._nodes.items()) if OWN.fullmatch(name)]

    def _row(self, name: str, node: _Node, now: float) -> dict[str, Any]:
        row = {'name': name.removeprefix(self._prefix), 'state': node.state, 'message': node.message}
        if self.is_silent(name, now):
            return {**row, 'state': 'silent', 'message': f'silent for {now - node.heard_at:.0f} s'}
        busiest = max(node.rates, key=node.rates.get, default=None)
        if busiest is not None and node.rates[busiest] > 0:
            row |= {'rate': round(node.rates[busiest], 1), 'rate_of': busiest.removeprefix('received ')}
        for latency in LATENCIES:
            try:
                return row | {share: float(node.values[f'{latency}_{share}']) for share in ('p50', 'p95')}
            except (KeyError, ValueError):  # there is none, or it is no number
                continue
        return row

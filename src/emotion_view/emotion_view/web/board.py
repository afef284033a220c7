"""
What the page shows now, as parts that become JSON; no ROS.

Times are those of one clock in seconds. Whatever came longer than ``max_age`` ago is not shown.
"""

import math
from collections import deque
from typing import Any

from emotion_core.commands import up
from emotion_core.emotions import EMOTIONS
from emotion_view.web.node_health import NodeHealth

HISTORY_S = 60.0
POINT_S = 0.25  # between two points of the time line
DEVICES = 'try `./emotion devices`'
DIGITS = 4


def plain(value: Any) -> Any:
    """Make a value fit for JSON: floats rounded, None for those that are no numbers, such as the level of silence."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value


class Board:
    """Keeps the newest of everything."""

    def __init__(self, namespace: str = '', max_age: float = 2.0):
        """Begin with nothing."""
        self.health = NodeHealth(namespace)
        self._up = up(namespace=namespace)
        self.max_age = max_age
        self._estimates: dict[str, tuple[float, dict]] = {}
        self._kept: dict[str, tuple[float, Any]] = {}
        self._models: dict[str, str] = {}
        self._order: list[str] = []  # of the subjects: largest face first
        self._history: deque[tuple[float, list]] = deque()

    def forget(self) -> None:
        """Forget estimates: the clock jumped back."""
        self._estimates.clear()
        self._history.clear()

    def add_faces(self, subjects: list[str], detector: str, now: float) -> None:
        """Take who is in the picture, largest face first."""
        self._order = subjects
        self._models['detector'] = detector
        self._kept['faces'] = now, subjects

    def add_estimate(self, estimate: dict[str, Any], now: float) -> None:
        """Take one fused estimate, as ``web.messages.estimate`` gives it."""
        self._estimates[estimate['id']] = now, estimate
        self._models |= {name: model for name, model in estimate['models'].items() if model}
        shown = self.estimates(now)[0]
        if shown is estimate and (not self._history or now - self._history[-1][0] >= POINT_S):
            label = EMOTIONS.index(estimate['label']) if estimate['label'] in EMOTIONS else -1
            self._history.append((now, [label, *(estimate['fused'] or [0.0] * len(EMOTIONS))]))
        while self._history and now - self._history[0][0] > HISTORY_S:
            self._history.popleft()

    def keep(self, name: str, value: Any, now: float) -> None:
        """Take the newest value of a part: 'hearing', 'session' or 'game'."""
        self._kept[name] = now, value

    def since(self, name: str, now: float) -> float:
        """Give how long ago a part came; infinity when it never did."""
        return now - self._kept[name][0] if name in self._kept else math.inf

    def estimates(self, now: float) -> list[dict[str, Any]]:
        """Give the present estimates: largest face first, a voice without a face last."""
        self._estimates = {name: kept for name, kept in self._estimates.items() if now - kept[0] < self.max_age}
        rank = {subject: place for place, subject in enumerate(self._order)}
        subjects = sorted(self._estimates, key=lambda name: (rank.get(name, len(rank)), name == '', name))
        return [self._estimates[subject][1] for subject in subjects]

    def history(self, now: float) -> list[list[float]]:
        """
        Give the points of the last minute: age [s], index of the label or -1, and the six probabilities.

        May be called from another thread: a deque is copied in one step.
        """
        return [[now - when, *point] for when, point in self._history.copy() if now - when < HISTORY_S]

    def parts(self, now: float) -> dict[str, Any]:
        """Give everything that the page shows, by part."""
        fresh = self.since('hearing', now) < self.max_age
        return {
            'estimates': self.estimates(now),
            'hearing': self._kept['hearing'][1] if fresh else None,
            'nodes': self.health.view(now),
            'models': dict(self._models),
            'session': self._activity('session', now),
            'game': self._activity('game', now),
        }

    def _activity(self, name: str, now: float) -> dict[str, Any] | None:
        """Give a session or game; one that is said to go on, and of which nothing is heard, does not."""
        activity = self._kept.get(name, (0.0, None))[1]
        if activity and activity['active'] and self.since(name, now) > self.max_age:
            return {**activity, 'active': False}
        return activity

    def missing(self, topics: dict[str, str], published: set[str], frame_age: float, now: float) -> dict[str, str]:
        """
        Say what is missing, and what to do about it.

        :param topics: Full names of 'image', 'audio', 'faces', 'activity' and 'fused'.
        :param published: Those of them that somebody publishes.
        :param frame_age: How long ago the last image came [s]; 0 while none is asked for.
        """
        said = {}
        if 'image' not in published:
            reason = self.health.message('camera') or f'is a camera running? {DEVICES}'
            said['picture'] = f'no image on {topics["image"]}: {reason}'
        elif frame_age > self.max_age:
            reason = self.health.message('camera') or DEVICES
            said['picture'] = f'a camera node is there, but no image comes on {topics["image"]}: {reason}'
        if 'faces' not in published:
            said['face'] = f'no face node is running: {self._up} starts it'
        elif self.since('faces', now) > self.max_age:
            said['face'] = f'nothing on {topics["faces"]}: does the face node get images?'
        elif not self._kept['faces'][1]:
            said['face'] = 'nobody in the picture'
        if 'activity' not in published:
            said['voice'] = f'no voice node is running: {self._up} starts it'
        elif self.since('hearing', now) > self.max_age:
            there = 'audio' in published
            reason = self.health.message('microphone') or (DEVICES if there else f'is a microphone running? {DEVICES}')
            what = 'a microphone node is there, but no sound comes on' if there else 'no sound on'
            said['voice'] = f'{what} {topics["audio"]}: {reason}'
        if 'fused' not in published:
            said['fused'] = f'no fusion node is running: {self._up} starts it'
        return said

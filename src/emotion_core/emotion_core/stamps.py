"""Time as everything here keeps it: whole nanoseconds since the epoch, so that a stamp comes out as it went in."""

NS_PER_S = 1_000_000_000
JUMP_NS = NS_PER_S // 2  # a clock, or the stamps of a topic, that fall back by more than this were set anew
SAME_CLOCK_NS = 10 * NS_PER_S  # stamps further than this from the clock are of another clock


def other_clock_ns(stamp_ns: int, now_ns: int) -> int:
    """Give how far the clock is ahead of the one that something was stamped by [ns]; 0 when they are the same."""
    behind_ns = now_ns - stamp_ns
    return behind_ns if abs(behind_ns) > SAME_CLOCK_NS else 0


class Newest:
    """Keeps the newest stamp of each topic, to notice that the clock was set anew."""

    def __init__(self) -> None:
        """Begin without stamps."""
        self._ns: dict[str, int] = {}

    def forget(self) -> None:
        """Begin anew."""
        self._ns.clear()

    def fell_back_ns(self, stamp_ns: int, topic: str = '') -> int:
        """Take a stamp; begin anew when it is behind by more than JUMP_NS, and give by how much [ns]; else 0."""
        behind_ns = self._ns.get(topic, stamp_ns) - stamp_ns
        if behind_ns > JUMP_NS:
            self._ns = {topic: stamp_ns}
            return behind_ns
        self._ns[topic] = stamp_ns + max(behind_ns, 0)
        return 0

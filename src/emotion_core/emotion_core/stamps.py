"""Time as everything here keeps it: whole nanoseconds since the epoch, so that a stamp comes out as it went in."""

NS_PER_S = 1_000_000_000
JUMP_NS = NS_PER_S // 2  # a clock, or the stamps of a topic, that fall back by more than this were set anew

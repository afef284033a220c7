"""How much one modality counts now, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from emotion_core.evidence import FACE, Evidence
from emotion_core.stamps import NS_PER_S


@dataclass(frozen=True)
class Modality:
    """The configuration of one modality."""

    name: str  # as a person says it: 'face', 'voice'
    weight: float  # configured, [0, 1]
    half_life: float  # [s]
    max_age: float  # [s]


@dataclass(frozen=True)
class Weight:
    """What a modality counts before the weights are brought to sum 1, with the reason in words."""

    value: float  # configured weight x quality x freshness
    reason: str
    configured: float = 0.0
    freshness: float = 0.0


def weigh(modality: Modality, evidence: Evidence | None, now_ns: int, is_fixed: bool = False) -> Weight:
    """
    Weigh one modality; its freshness is 0.5 ** (age / half-life).

    A modality that is missing, older than its ``max_age``, or of quality 0 has weight 0 with any method.

    :param now_ns: The moment the weight is for; the age is taken from the evidence's stamp.
    :param is_fixed: The configured weight alone, as long as there is evidence.
    """
    if evidence is None:
        return Weight(0.0, f'no {modality.name}')
    age = max(now_ns - evidence.stamp_ns, 0) / NS_PER_S
    if age >= modality.max_age:
        return Weight(0.0, f'stale: {age:.1f} s old')
    if evidence.quality <= 0:
        return Weight(0.0, evidence.quality_reason or 'quality 0')
    if is_fixed:
        return Weight(modality.weight, 'fixed weight')
    freshness = 0.5 ** (age / modality.half_life)
    reasons = [evidence.quality_reason or 'clear']
    if freshness < 0.5:
        reasons.append(f'{age:.1f} s old')
    reason = f'{", ".join(reasons)}; quality {evidence.quality:.2f}'
    return Weight(modality.weight * freshness * evidence.quality, reason, modality.weight, freshness)


def exponents(used: Sequence[tuple[Evidence, Weight]]) -> list[float]:
    """
    Give the exponents of a product of distributions that have their quality inside.

    Beside its configured weight, relative to the largest, a voice counts by its freshness, whatever else there is: an
    estimate must not become surer as it ages. A face counts whole while it is the fresher one, for it is seen again
    with each frame; otherwise in relation to the voice.
    """
    heaviest = max(weight.configured for _, weight in used)
    freshest = max(weight.freshness for _, weight in used)
    return [
        weight.configured / heaviest * weight.freshness / (freshest if evidence.source == FACE else 1.0)
        for evidence, weight in used
    ]

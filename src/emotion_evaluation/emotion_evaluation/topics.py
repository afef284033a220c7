"""Which topic of a bag is which, whatever it is called there."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from emotion_evaluation import ground_truth
from emotion_evaluation.bag import Bag, TopicInfo
from emotion_evaluation.errors import BagError

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
AUDIO, STAMPED = 'audio_common_msgs/msg/AudioData', 'audio_common_msgs/msg/AudioDataStamped'
INFO = 'audio_common_msgs/msg/AudioInfo'
PROBS, FACES = 'emotion_msgs/msg/EmotionProbs', 'emotion_msgs/msg/FaceEmotions'
FUSED, ACTIVITY = 'emotion_msgs/msg/FusedEmotion', 'emotion_msgs/msg/SpeechActivity'

# Name in a graph of ours -> type. An input that has another name is found when it is the only one of its type.
INPUTS = {
    'image_raw': IMAGE,
    'image_raw/compressed': COMPRESSED,
    'audio_stamped': STAMPED,
    'audio': AUDIO,
    'audio_info': INFO,
}
OUTPUTS = {
    'emotion/face': PROBS,
    'emotion/faces': FACES,
    'emotion/speech': PROBS,
    'emotion/speech/activity': ACTIVITY,
    'emotion/fused': FUSED,
    ground_truth.TOPIC: ground_truth.TYPE,
}
DRAWN = ('emotion/overlay', 'emotion/overlay/*')  # patterns; a drawing that others can make again


@dataclass(frozen=True)
class Topics:
    """The topics of a bag by role; '' where there is none."""

    image: str = ''  # raw or compressed
    audio: str = ''  # with or without stamps
    info: str = ''
    face: str = ''
    faces: str = ''
    speech: str = ''
    activity: str = ''
    fused: str = ''
    truth: str = ''


def find_topics(bag: Bag, remaps: Mapping[str, str] | None = None) -> Topics:
    """
    Find what can be evaluated.

    :param remaps: Topic of the bag -> its name in a graph of ours, as for a replay.
    :raises BagError: for a remap of a topic that is not there, a topic of another type, or several candidates.
    """
    remaps = dict(remaps or {})
    known = {info.name: info for info in bag.topics.values() if info.count}
    for name in remaps.keys() - known.keys():
        raise BagError(f"'{bag.path}' has no topic '{name}' to remap; it has {', '.join(sorted(known)) or 'none'}")
    named = {name.lstrip('/'): info for name, info in known.items() if name not in remaps}
    named |= {name.lstrip('/'): known[topic] for topic, name in remaps.items()}

    def find(*roles: str) -> str:
        wanted = [role for role in roles if any(_plays(name, role) for name in remaps.values())] or roles
        return next(filter(None, (_find(bag, role, named, remaps) for role in wanted)), '')

    # The raw image is what was seen; stamped audio says when it was heard.
    topics = Topics(
        image=find('image_raw', 'image_raw/compressed'),
        audio=find('audio_stamped', 'audio'),
        info=find('audio_info'),
        face=find('emotion/face'),
        faces=find('emotion/faces'),
        speech=find('emotion/speech'),
        activity=find('emotion/speech/activity'),
        fused=find('emotion/fused'),
        truth=find(ground_truth.TOPIC),
    )
    if not topics.image and not topics.audio:
        there = ', '.join(f'{name} ({info.type})' for name, info in sorted(known.items())) or 'no messages'
        raise BagError(f"'{bag.path}' has neither images nor sound: it has {there}")
    return topics


def _plays(name: str, role: str) -> bool:
    return f'/{name}'.endswith(f'/{role}')


def _find(bag: Bag, role: str, named: Mapping[str, TopicInfo], remaps: Mapping[str, str]) -> str:
    """Give the topic of a bag that plays a role: by its name in any namespace; an input also by its type."""
    kind = (INPUTS | OUTPUTS)[role]
    by_name = {name: info for name, info in named.items() if _plays(name, role)}
    by_name = {name: info for name, info in by_name.items() if info.name in remaps} or by_name
    for info in by_name.values():
        if info.type != kind:
            raise BagError(f"topic '{info.name}' of '{bag.path}' is a {info.type}: {role} must be a {kind}")
    candidates = by_name
    if not candidates and role in INPUTS:
        candidates = {
            name: info
            for name, info in named.items()
            if info.type == kind and not any(fnmatchcase(name, f'*{other}') for other in (*INPUTS, *OUTPUTS, *DRAWN))
        }
    if len(candidates) > 1:
        names = [info.name for info in candidates.values()]
        others = ''.join(f' {topic}:={name}' for topic, name in remaps.items() if topic not in names)
        raise BagError(
            f"'{bag.path}' has several topics for {role}, {', '.join(names)}: choose one, as in "
            f'`--remap{others} {names[0]}:={role}`'
        )
    return next((info.name for info in candidates.values()), '')

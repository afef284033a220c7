"""Between the dataclasses of speech and ROS messages."""

from audio_common_msgs.msg import AudioInfo

from emotion_core.messages import to_header
from emotion_msgs.msg import SpeechActivity
from emotion_speech.audio_format import AudioFormat
from emotion_speech.recognizer import Activity


def to_format(msg: AudioInfo) -> AudioFormat:
    """
    Give the format that a driver announces.

    :raises InputError: when such audio cannot be read.
    """
    return AudioFormat.parse(msg.sample_rate, msg.channels, msg.sample_format, msg.coding_format)


def to_activity(activity: Activity, frame_id: str = '') -> SpeechActivity:
    """Give an activity as a message."""
    return SpeechActivity(
        header=to_header(activity.stamp_ns, frame_id),
        level_dbfs=activity.level_dbfs,
        noise_floor_dbfs=activity.noise_floor_dbfs,
        voice_probability=activity.voice_probability,
        speaking=activity.speaking,
        segment_seconds=activity.segment_seconds,
    )

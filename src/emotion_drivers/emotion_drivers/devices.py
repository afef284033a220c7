"""Which cameras and microphones this machine has."""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_core.errors import DeviceError

# struct v4l2_capability of <linux/videodev2.h>: driver, card, bus, version, all capabilities, the device's, reserved.
V4L2_CAPABILITY = struct.Struct('16s32s32sII I12x')
VIDIOC_QUERYCAP = 0x80685600
V4L2_CAP_VIDEO_CAPTURE = 0x00000001
V4L2_CAP_VIDEO_CAPTURE_MPLANE = 0x00001000
V4L2_CAP_DEVICE_CAPS = 0x80000000

ALSA_NULL = 'Discard all samples'  # how the name of ALSA's device that is none begins
COMMON_RATES_HZ = (48_000, 44_100)


@dataclass(frozen=True)
class Device:
    """A camera or microphone as a person chooses it."""

    value: str  # what to pass as camera:= or microphone:=
    name: str
    details: str


@dataclass(frozen=True)
class CaptureDevice:
    """A microphone as miniaudio knows it."""

    name: str
    sample_rate: int  # its own, or the best it can [Hz]
    channels: int
    backend: Any  # miniaudio.Backend
    id: Any = None  # miniaudio's handle; None: the backend's default


def cameras(folder: Path = Path('/dev')) -> list[Device]:
    """List the cameras that can capture; those that may not be opened are listed with the reason."""
    found = []
    for path in sorted(folder.glob('video*'), key=lambda item: (len(item.name), item.name)):
        name = _read(Path('/sys/class/video4linux') / path.name / 'name') or path.name
        try:
            capability = _query(path)
        except PermissionError:
            found.append(Device(str(path), name, 'no permission: `sudo usermod -aG video $USER`, and log in again'))
            continue
        except OSError:
            continue  # not a video device, or its hardware is gone
        _, _, bus, _, all_capabilities, own = V4L2_CAPABILITY.unpack(capability)
        flags = own if all_capabilities & V4L2_CAP_DEVICE_CAPS else all_capabilities
        if flags & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE):
            found.append(Device(str(path), name, bus.rstrip(b'\0').decode(errors='replace')))
    return found


def microphones() -> list[Device]:
    """List the microphones; none where the sound system is missing."""
    try:
        found = capture_devices()
    except DeviceError:
        return []
    return [
        Device(str(index), device.name, f'{device.sample_rate} Hz, channels: {device.channels}')
        for index, device in enumerate(found)
    ]


def capture_devices() -> list[CaptureDevice]:
    """
    List the microphones as miniaudio knows them; the first is the default.

    :raises DeviceError: when miniaudio is missing.
    """
    miniaudio = _miniaudio()
    try:
        devices = miniaudio.Devices()
        backend = next((item for item in miniaudio.Backend if item.name.lower() == devices.backend.lower()), None)
        if backend in (None, miniaudio.Backend.NULL):
            return []
        captures = devices.get_captures()
    except miniaudio.MiniaudioError:
        return []
    found = []
    for capture in captures:
        if capture['name'].startswith(ALSA_NULL):
            continue
        rates = {entry['samplerate'] for entry in capture['formats']} - {0}
        counts = {entry['channels'] for entry in capture['formats']} - {0}
        rate = next((rate for rate in COMMON_RATES_HZ if rate in rates), max(rates, default=COMMON_RATES_HZ[0]))
        found.append(CaptureDevice(capture['name'], rate, min(counts, default=1), backend, capture['id']))
    return found


def silent_device() -> CaptureDevice:
    """Give a device that is none: silence in real time."""
    return CaptureDevice('null', COMMON_RATES_HZ[0], 1, _miniaudio().Backend.NULL)


def _miniaudio() -> Any:
    try:
        import miniaudio
    except ImportError as error:
        raise DeviceError('live microphones need miniaudio: `pip install miniaudio`') from error
    return miniaudio


def _query(path: Path) -> bytes:
    capability = bytearray(V4L2_CAPABILITY.size)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, VIDIOC_QUERYCAP, capability)
    finally:
        os.close(descriptor)
    return bytes(capability)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ''

from emotion_drivers import devices


def test_a_machine_without_cameras_has_none(tmp_path):
    assert devices.cameras(tmp_path) == []


def test_what_is_not_a_video_device_is_left_out(tmp_path):
    (tmp_path / 'video0').write_text('not a device')
    assert devices.cameras(tmp_path) == []


def test_listing_never_raises_and_gives_what_can_be_passed():
    for device in devices.cameras() + devices.microphones():
        assert device.value and device.name


def test_the_device_that_is_silence_is_no_microphone():
    assert not any('Discard' in device.name for device in devices.microphones())


def test_the_capability_is_laid_out_as_in_the_kernel():
    assert devices.V4L2_CAPABILITY.size == 104

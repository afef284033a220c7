"""The Fast DDS profile that lets whole images through."""

from collections.abc import Mapping

from emotion_bringup.graph import config_file

PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')  # up to Jazzy, and after


def transport_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables to set; none when the user has a profile of their own."""
    if any(environ.get(name) for name in PROFILE_VARIABLES):
        return {}
    return {name: str(config_file('fastdds.xml')) for name in PROFILE_VARIABLES}

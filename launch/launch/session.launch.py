"""Hold an expression, speak, and see face and voice side by side."""

from emotion_bringup.graph import GRAPHS
from emotion_bringup.launch_file import render_launch


def generate_launch_description():
    """Render the graph for ros2 launch."""
    return render_launch(GRAPHS['session'])

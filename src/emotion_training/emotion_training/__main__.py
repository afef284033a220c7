"""``python -m emotion_training``."""

import sys

from emotion_training.cli import main

sys.exit(main())

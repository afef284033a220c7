"""What all nodes share: emotions, evidence, models, parameters, the node base."""

import os

# ONNX Runtime, from 1.29 on, would tell its makers of each start, and keep an id for that in the user's cache.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')  # read when it is imported

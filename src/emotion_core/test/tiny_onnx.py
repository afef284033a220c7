"""A model that runs and hardly weighs anything, for tests of what surrounds models."""

import base64

# ReduceMean over the channels and rows of float32 (n, c, h, w): as many outputs as the pictures have columns.
TINY_ONNX = base64.b64decode(
    'CAgSADpvCjIKAXgSAXkiClJlZHVjZU1lYW4qDQoEYXhlc0ABQAKgAQcqDwoIa2VlcGRpbXMYAKABAhIBZ1ofCgF4EhoKGAgBEhQKAxIBbgoDEgFj'
    'CgMSAWgKAxIBd2IVCgF5EhAKDggBEgoKAxIBbgoDEgF3QgQKABAN'
)

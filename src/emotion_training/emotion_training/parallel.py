"""Which process of one training this is, as ``torchrun`` tells it, and its share of the cores; alone it has all."""

import os

import numpy as np

RANK = int(os.environ.get('RANK', 0))  # over all machines; 0 validates, writes and speaks
LOCAL_RANK = int(os.environ.get('LOCAL_RANK', 0))  # on this machine: which GPU
PROCESSES = int(os.environ.get('WORLD_SIZE', 1))
MOST_THREADS = 8  # by default: more gain little on these networks
THREADS = max(min(len(os.sched_getaffinity(0)), MOST_THREADS) // int(os.environ.get('LOCAL_WORLD_SIZE', 1)), 1)


def own(rows: np.ndarray) -> np.ndarray:
    """Give this process's share of the rows of a batch; together the processes have each row once."""
    return rows[RANK::PROCESSES]

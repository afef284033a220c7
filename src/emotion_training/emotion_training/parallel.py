"""Which of the processes of one training this is, as ``torchrun`` tells them; without it there is one."""

import os

import numpy as np

RANK = int(os.environ.get('RANK', 0))  # over all machines; 0 validates, writes and speaks
LOCAL_RANK = int(os.environ.get('LOCAL_RANK', 0))  # on this machine: which GPU
PROCESSES = int(os.environ.get('WORLD_SIZE', 1))


def own(rows: np.ndarray) -> np.ndarray:
    """Give this process's share of the rows of a batch; together the processes have each row once."""
    return rows[RANK::PROCESSES]

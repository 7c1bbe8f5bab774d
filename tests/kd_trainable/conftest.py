"""One thread: networks this small do not gain by two, and lose much where other work has the cores."""

import torch

torch.set_num_threads(1)

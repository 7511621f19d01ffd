"""For every test: one thread, since these networks are too small for two, which only wait for each other on a busy machine."""

import torch

torch.set_num_threads(1)

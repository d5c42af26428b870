"""How handles are learned: Newton-Schulz, optimizers, energies, heads, and the training loop."""

from optim.config import TrainConfig
from optim.train import Progress, train

__all__ = ["Progress", "TrainConfig", "train"]

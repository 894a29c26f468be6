"""Training: from folders of pictures and masks to weights, and from weights to graphs. Extra `train`.

`net` is the network, `nets` those of others to start from, `data` the pictures, `datasets` how they
are laid out, `rooms` backgrounds made from chance, `augment` what is done to pictures, `losses` what is
asked of the network, `recipe` how long and at what size, `train` the loop, `export` the way out.
`label` makes mattes for pictures that have none. It needs no torch, nor do `datasets`, `rooms`,
`recipe` and this file.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from livematte._errors import MissingExtra


def require_torch() -> None:
    """Refuse to go on without torch.

    Raises:
        MissingExtra: the message holds the pip line.
    """
    if "torch" not in sys.modules:
        # OpenMP's threads otherwise spin while they wait for each other, and where another program
        # wants the cores a step then takes a hundred times as long.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if find_spec("torch") is None:
        raise MissingExtra('training and export need torch: pip install "livematte[train]"')

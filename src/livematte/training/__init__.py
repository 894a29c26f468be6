"""Training: from folders of pictures and masks to weights, and from weights to graphs. Extra `train`.

`net` is the network, `data` the pictures, `augment` what is done to them, `losses` what is asked
of the network, `recipe` how long and at what size, `train` the loop, `export` the way out.
Only `net` and what follows it load torch; this file and `recipe` do not.
"""

from __future__ import annotations

from importlib.util import find_spec

from livematte._errors import MissingExtra


def require_torch() -> None:
    """Refuse to go on without torch.

    Raises:
        MissingExtra: the message holds the pip line.
    """
    if find_spec("torch") is None:
        raise MissingExtra('training and export need torch: pip install "livematte[train]"')

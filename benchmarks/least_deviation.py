"""How near to its share in val the worst class can come, whatever the splitter: a mixed-integer program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

SHARE = 0.2
SECONDS = 60  # then the bound so far is taken, which is too low rather than too high


def least_deviation(
    images: NDArray[np.int64], boxes: NDArray[np.int64], fixed: Sequence[bool | None], *, val_images: int
) -> float:
    """A lower bound of the largest |share of a class's boxes in val − 0.2|, 0–1.

    :param images: of each group; ``boxes``: group × class, how many it holds.
    :param fixed: for each group whether it is in val; None where it is free.
    :param val_images: how many images are in val, 2 % more or fewer of them allowed.
    """
    groups, classes = boxes.shape
    shares = np.hstack([(boxes / boxes.sum(axis=0)).T, np.zeros((classes, 1))])
    off = np.zeros((classes, groups + 1))
    off[:, -1] = 1
    constraints = [
        LinearConstraint(shares - off, -np.inf, SHARE),
        LinearConstraint(shares + off, SHARE, np.inf),
        LinearConstraint(np.append(images, 0)[None, :], 0.98 * val_images, 1.02 * val_images),
    ]
    found = milp(
        off[0],
        constraints=constraints,
        integrality=np.append(np.ones(groups), 0),
        bounds=Bounds(
            [float(bool(one)) for one in fixed] + [0.0],
            [1.0 if one is None else float(one) for one in fixed] + [1.0],
        ),
        options={"time_limit": SECONDS, "mip_rel_gap": 0.01},
    )
    return float(found.mip_dual_bound or 0.0)

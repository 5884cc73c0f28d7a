"""How the prediction, and its error, go with the features: measured on evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.gather import Gathered
from servewatch.baseline.influence import class_influence, influence
from servewatch.baseline.loss_model import fit
from servewatch.baseline.performance import Compared, rows_at
from servewatch.baseline.profile import ColumnProfile
from servewatch.baseline.roles import Roles
from servewatch.sketch.bins import SPECIALS
from servewatch.sketch.encode import to_numbers
from servewatch.sketch.loss import LossModel

Codes = Mapping[str, NDArray[np.uint8]]


def cells_of(profile: ColumnProfile) -> int:
    """Give the number of cells that a row of a column can be in: bins and specials."""
    return profile.bins.ordinary + len(SPECIALS)


def influences(
    gathered: Gathered,
    profiles: Mapping[str, ColumnProfile],
    codes: Codes,
    roles: Roles,
) -> dict[str, float]:
    """Give how much the first prediction column depends on each feature, in [0, 1].

    *codes* are cells over all rows in time order. Empty without predictions.
    """
    places, features = gathered.held.places, roles.features
    if not roles.predictions or not places.size:
        return {}
    prediction = roles.predictions[0]
    table = np.stack([codes[name][places] for name in features], axis=1)
    widths = [cells_of(profiles[name]) for name in features]
    profile = profiles[prediction]
    if profile.kind == "categorical":
        classes = codes[prediction].astype(np.int64)
        found = class_influence(table, widths, classes)
    else:
        numbers = to_numbers(rows_at(gathered, profile, places))[0]
        found = influence(table, widths, numbers)
    return dict(zip(features, found, strict=True))


def loss_model(
    compared: Compared,
    profiles: Mapping[str, ColumnProfile],
    codes: Codes,
    features: Sequence[str],
) -> LossModel | None:
    """Fit the error of predicted numbers by the cells of features and prediction.

    *codes* of the features are over all rows in time order, of the prediction over its
    own. None for classes, and where nothing can be learnt.
    """
    truth = compared.scoring.truth
    if truth.task != "regression" or truth.prediction is None:
        return None
    labels = compared.labels.astype(np.float64)
    error = np.abs(labels - compared.records["value"]) / truth.scale
    known = np.isfinite(error)
    names = (*features, truth.prediction)
    table = np.stack(
        [
            *(codes[name][compared.places] for name in features),
            codes[truth.prediction][compared.held_places],
        ],
        axis=1,
    )
    return fit(table[known], [cells_of(profiles[name]) for name in names], error[known])

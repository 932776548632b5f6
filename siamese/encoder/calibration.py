"""What a similarity means: the probability that two texts mean the same.

A calibrator is fitted on labelled pairs (`siamese.evaluation.calibration`) and kept in the model
folder as JSON.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from siamese.errors import UserError
from siamese.storage.atomic import read_json, write_json

VERSION = 1
# Probabilities between these leave open what two texts mean.
UNSURE = (0.25, 0.75)

Verdict: TypeAlias = Literal["similar", "unsure", "different"]


class Logistic(NamedTuple):
    """A logistic curve of the similarity (Platt, 1999).

    Attributes:
        slope: not negative.
        intercept: of the log-odds.
    """

    slope: float
    intercept: float

    def probability(self, similarities: np.ndarray | float) -> np.ndarray:
        """Turn similarities into probabilities, float64 of the same shape."""
        log_odds = self.slope * np.asarray(similarities, np.float64) + self.intercept
        return np.asarray(0.5 * (1 + np.tanh(0.5 * log_odds)))


class Isotonic(NamedTuple):
    """A curve that rises from point to point (Zadrozny and Elkan, 2002), straight in between.

    Attributes:
        similarities: rising.
        probabilities: one for each of them, not falling.
    """

    similarities: tuple[float, ...]
    probabilities: tuple[float, ...]

    def probability(self, similarities: np.ndarray | float) -> np.ndarray:
        """Turn similarities into probabilities, float64 of the same shape."""
        return np.asarray(np.interp(similarities, self.similarities, self.probabilities))


Calibrator: TypeAlias = Logistic | Isotonic


def verdict_of(probability: float) -> Verdict:
    """Say in a word what a probability means; within `UNSURE` it leaves the question open."""
    low, high = UNSURE
    return "similar" if probability >= high else "different" if probability <= low else "unsure"


def write_calibrator(path: Path, calibrator: Calibrator) -> None:
    """Write a calibrator as JSON."""
    kind = type(calibrator).__name__.lower()
    write_json(path, {"version": VERSION, "kind": kind, **calibrator._asdict()})


def read_calibrator(path: Path) -> Calibrator:
    """Read a calibrator.

    Raises:
        UserError: the file is not what `write_calibrator` wrote.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise UserError(f"{path}: not of version {VERSION}, which this release reads.")
    found = _logistic(content) or _isotonic(content)
    if found is None:
        raise UserError(f"{path}: not a rising curve. Copy or train the model again.")
    return found


def _logistic(content: Mapping[str, Any]) -> Logistic | None:
    curve = Logistic(content.get("slope", math.nan), content.get("intercept", math.nan))
    valid = content.get("kind") == "logistic" and all(map(_is_number, curve)) and curve.slope >= 0
    return curve if valid else None


def _isotonic(content: Mapping[str, Any]) -> Isotonic | None:
    points = [content.get(name) for name in Isotonic._fields]
    if content.get("kind") != "isotonic" or not all(isinstance(each, list) for each in points):
        return None
    similarities, probabilities = (tuple(each or ()) for each in points)
    if not similarities or len(similarities) != len(probabilities):
        return None
    if not all(map(_is_number, similarities + probabilities)):
        return None
    rising = bool(np.all(np.diff(similarities) > 0) and np.all(np.diff(probabilities) >= 0))
    inside = probabilities[0] >= 0 and probabilities[-1] <= 1
    return Isotonic(similarities, probabilities) if rising and inside else None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)

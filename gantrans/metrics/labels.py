"""How well class maps fit: pixel accuracy, class accuracy, mean IoU, from one confusion matrix of all images.

Long, Shelhamer & Darrell 2015, section 5, and the FCN score of pix2pix (Isola et al. 2017).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np


class Confusion:
    """Counts pixels by true and predicted class; `counts[true, predicted]`."""

    def __init__(self, classes: int, ignore: Collection[int] = ()) -> None:
        """Indices are 0 to classes - 1. `ignore`: indices of targets whose pixels count nowhere."""
        if classes < 2:
            raise ValueError(f"classes={classes}: needed: 2 or more")
        self.classes, self.ignore = classes, tuple(ignore)
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, output: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Count one pair of class maps of equal shape, integers; returns what it added. Raises ValueError,
        with nothing counted, for unequal shapes and for indices out of range."""
        if output.shape != target.shape:
            raise ValueError(f"output {output.shape} and target {target.shape} differ in shape")
        true, made = target.astype(np.int64).ravel(), output.astype(np.int64).ravel()
        if self.ignore:
            known = ~np.isin(true, self.ignore)
            made, true = made[known], true[known]
        for name, values in (("output", made), ("target", true)):
            if values.size and not 0 <= values.min() <= values.max() < self.classes:
                raise ValueError(
                    f"{name} holds classes {values.min()} to {values.max()}; accepted are 0 to "
                    f"{self.classes - 1}" + (f" (and {list(self.ignore)} in targets)" if self.ignore else "")
                )
        added = np.bincount(true * self.classes + made, minlength=self.classes**2)
        added = added.reshape(self.classes, self.classes)
        self.counts += added
        return added

    def result(self) -> dict[str, float]:
        """See `scores`."""
        return scores(self.counts)


def scores(counts: np.ndarray) -> dict[str, float]:
    """pixel_accuracy   the share of pixels whose class is right
    class_accuracy   that share of each class that occurs in the targets, mean over these
    mean_iou         intersection over union, mean over the classes that occur in outputs or targets

    Of counts[true, predicted]; 0 to 1, NaN where there is no pixel.
    """
    right, true, made = np.diag(counts), counts.sum(1), counts.sum(0)
    union = true + made - right
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "pixel_accuracy": float(right.sum() / np.float64(counts.sum())),
            "class_accuracy": _mean(right / true),
            "mean_iou": _mean(right / union),
        }


def majority(counts: np.ndarray) -> dict[str, float]:
    """What the most frequent class of the targets would get everywhere, of counts[true, predicted]:
    majority_accuracy, majority_iou (the mean over the classes that occur in the targets; the others get 0).
    """
    true = counts.sum(1)
    guess = np.zeros_like(counts)
    guess[:, int(true.argmax())] = true
    found = scores(guess)
    return {"majority_accuracy": found["pixel_accuracy"], "majority_iou": found["mean_iou"]}


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")

"""Whether confidence means anything: calibration error, and whether it ranks right pixels before wrong ones.

Confidence is the largest probability of a pixel. Right and wrong pixels are counted in fixed bins of it, so
memory is constant. From these counts:

    ECE    Σ_b n_b/N · |accuracy_b − mean confidence_b| over 15 even bins (Guo et al., ICML 2017)
    AURC   mean over coverages of the error rate among the most confident pixels (Geifman et al., ICLR 2019);
           an order by chance gives the error rate itself

Pixels of one fine bin count as equally confident, at its middle: ECE is exact to 1/3000. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from spn.evaluation.results import DomainResult

ECE_BINS: Final = 15
EVEN_BINS: Final = 100 * ECE_BINS
EDGES: Final[tuple[float, ...]] = (
    *(k / EVEN_BINS for k in range(1, EVEN_BINS)),
    *(1 - 2.0**-k / EVEN_BINS for k in range(1, 9)),
)
"""Between the bins, ascending: even ones, and finer ones in the last of these, where most pixels are."""
BINS: Final = len(EDGES) + 1
_EDGES: Final = np.array(EDGES, np.float32)


@dataclass(eq=False)
class Calibration:
    """Pixels that were right and wrong, by bin of confidence: int64 [BINS] each. No pixels: NaN."""

    kind: ClassVar[str] = "calibration"
    right: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    wrong: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(
        self, confidence: NDArray[np.float32], label: NDArray[np.uint8], prediction: NDArray[np.uint8]
    ) -> None:
        """Count an image. confidence [H, W]: of the prediction, 0..1; pixels labelled 255 are left out."""
        known = label != IGNORE
        bins = np.searchsorted(_EDGES, confidence[known], side="right")
        right = (label == prediction)[known]
        self.right += np.bincount(bins[right], minlength=BINS)
        self.wrong += np.bincount(bins[~right], minlength=BINS)

    @property
    def error(self) -> float:
        """The share of wrong pixels."""
        total = int(self.right.sum() + self.wrong.sum())
        return int(self.wrong.sum()) / total if total else float("nan")

    @property
    def ece(self) -> float:
        """Expected calibration error, a fraction."""
        middles = (np.array([0.0, *EDGES]) + np.array([*EDGES, 1.0])) / 2
        pixels = self.right + self.wrong
        if not pixels.any():
            return float("nan")
        group = (middles * ECE_BINS).astype(np.int64)
        accuracy = np.bincount(group, weights=self.right, minlength=ECE_BINS)
        confidence = np.bincount(group, weights=pixels * middles, minlength=ECE_BINS)
        return float(np.abs(accuracy - confidence).sum() / pixels.sum())

    @property
    def aurc(self) -> float:
        """Area under the risk-coverage curve, a fraction.

        A bin's n pixels come in random order after the C more confident ones, of which E are wrong: with a
        share r of them wrong, they add Σ_j (E + r·j) / (C + j) = r·n + (E − r·C) · (H(C + n) − H(C)), and
        H(C + n) − H(C) ≈ log((C + n + ½) / (C + ½)).
        """
        wrong = self.wrong[::-1].astype(np.float64)
        pixels = self.right[::-1] + wrong
        if not pixels.any():
            return float("nan")
        before, wrong_before = np.cumsum(pixels) - pixels, np.cumsum(wrong) - wrong
        rate = wrong / np.maximum(pixels, 1)
        harmonic = np.log((before + pixels + 0.5) / (before + 0.5))
        return float((wrong + (wrong_before - rate * before) * harmonic).sum() / pixels.sum())

    def belongs_to(self, result: DomainResult) -> bool:
        """Whether these are the pixels of `result`."""
        hits = np.trace(result.confusion)
        totals = self.right.sum(), self.wrong.sum()
        return self.right.shape == (BINS,) and totals == (hits, result.confusion.sum() - hits)

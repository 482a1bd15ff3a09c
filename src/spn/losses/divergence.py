"""The names of the divergences that compare two predictions. No torch here."""

from __future__ import annotations

from typing import Literal

Divergence = Literal["symmetric_kl", "js"]

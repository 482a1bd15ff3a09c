"""The hybrid prompt H: semantic and stochastic prompt mixed by a random gate per channel group.

    π = sigmoid(T · mean over the image of M) [B, G]      b ~ Bernoulli(π) per image and group
    H = b · S + (1 − b) · Z   when drawing,   H = π · S + (1 − π) · mean(Z)   otherwise

π is the exact expectation of b. The gradient passes the draw straight through to π (Bengio et al., 2013).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.models.prompts.noise import uniform


class HybridGate(nn.Module):
    """Mixes two prompts [B, D, h, w] by gates that come from M; `groups` divides D."""

    def __init__(self, prompt_width: int, *, groups: int) -> None:
        super().__init__()
        if prompt_width % groups:
            raise ValueError(f"{groups} groups do not divide a prompt of {prompt_width} channels")
        self.groups = groups
        self.repeats = prompt_width // groups
        self.to_logits = nn.Linear(prompt_width, groups)
        nn.init.zeros_(self.to_logits.bias)

    def probabilities(self, fused: Tensor) -> Tensor:
        """π [B, G] in float32: how likely each group shows the semantic prompt."""
        return torch.sigmoid(self.to_logits(fused.mean(dim=(2, 3))).float())

    def mix(self, semantic: Tensor, stochastic: Tensor, gates: Tensor) -> Tensor:
        """gates [B, G] of 0..1: 1 takes the semantic prompt, 0 the stochastic one."""
        gates = gates.repeat_interleave(self.repeats, dim=1)[:, :, None, None]
        return stochastic + gates * (semantic - stochastic)


def draw_gates(probabilities: Tensor, *, generator: torch.Generator | None) -> Tensor:
    """Bernoulli draws, 0 or 1, with a straight-through gradient to `probabilities`."""
    return gates_below(
        uniform(tuple(probabilities.shape), like=probabilities, generator=generator), probabilities
    )


def gates_below(noise: Tensor, probabilities: Tensor) -> Tensor:
    """1 where uniform `noise` lies below the probability, else 0; straight-through gradient."""
    drawn = (noise < probabilities).to(probabilities.dtype)
    return drawn + probabilities - probabilities.detach()


def join_prompts(
    gate: HybridGate | None, semantic: Tensor | None, stochastic: Tensor | None, gates: Tensor | None
) -> Tensor:
    """The mixed prompt where there is a gate, otherwise the one prompt there is."""
    if gate is not None and semantic is not None and stochastic is not None and gates is not None:
        return gate.mix(semantic, stochastic, gates)
    chosen = semantic if semantic is not None else stochastic
    assert chosen is not None
    return chosen

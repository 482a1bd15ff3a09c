"""γ, by which prompts are added to features."""

from torch import nn


class WithStrength(nn.Module):
    """A part of the prompts with a γ of its own: one weight per channel, 0 at first.

    While γ is 0, the network is the one without prompts. It learns at its own rate
    (`optimisation.prompt_lr_factor`).
    """

    strength: nn.Parameter

"""Training: configuration, presets, data plan, the loop, checkpoints and logs."""

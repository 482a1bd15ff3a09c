"""Decoders: a feature pyramid in, logits out."""

"""Losses on logits; they know nothing of networks or data."""

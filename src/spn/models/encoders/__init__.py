"""Encoders: images in, a feature pyramid out."""

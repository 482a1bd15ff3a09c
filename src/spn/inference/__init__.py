"""From a trained network and a photo to labels, confidence and uncertainty; needs no training code."""

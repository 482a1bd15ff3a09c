"""From a whole image with its label to a training crop: geometry and colour on uint8, without torch."""

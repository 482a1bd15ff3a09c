"""Which image, and which place of it, comes next: class-uniform sampling, without torch."""

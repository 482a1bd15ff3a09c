"""A procedural street: image, label and metric depth from a seed, written in the layouts of real datasets."""

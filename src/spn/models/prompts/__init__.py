"""MSFFP: the multi-scale fusion feature and the semantic, stochastic and hybrid prompts made from it."""

"""Random generators from names: the same seed and keys give the same stream on every machine."""

import hashlib

import numpy as np

from spn.core.files import to_bytes


def derive_seed(seed: int, *keys: int | str) -> int:
    """A 63-bit seed that depends on `seed` and on every key, in order."""
    text = "\x1f".join([str(seed), *(f"{type(key).__name__}:{key}" for key in keys)])
    return int.from_bytes(hashlib.blake2b(to_bytes(text), digest_size=8).digest(), "little") >> 1


def numpy_generator(seed: int, *keys: int | str) -> np.random.Generator:
    """A NumPy generator for `derive_seed(seed, *keys)`."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *keys)))

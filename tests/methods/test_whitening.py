"""Instance-selective whitening against direct computations of its equations."""

from __future__ import annotations

import numpy as np
import torch

from spn.methods.isw import covariance, pair_variance, sensitive_elements, whitening_loss


def normalised(*, seed: int) -> torch.Tensor:
    features = torch.randn((3, 5, 6, 7), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.instance_norm(features)


def test_the_covariance_is_numpys() -> None:
    features = normalised(seed=0)
    expected = np.stack([np.cov(image.reshape(5, -1)) for image in features.double().numpy()])
    torch.testing.assert_close(
        covariance(features).double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-6
    )


def test_the_variance_over_a_pair_is_that_of_its_two_covariances() -> None:
    first, second = covariance(normalised(seed=0)), covariance(normalised(seed=1))
    expected = np.var(np.stack([first.numpy(), second.numpy()]), axis=0).mean(axis=0)
    torch.testing.assert_close(pair_variance(first, second), torch.from_numpy(expected))
    assert pair_variance(first, first).max() == 0


def test_clusters_are_those_that_an_exhaustive_search_finds_best() -> None:
    generator = np.random.default_rng(0)
    values = np.sort(np.concatenate([generator.normal(m, 0.2, 12) for m in (0, 3, 9)]))
    costs = {
        (low, high): sum(((part - part.mean()) ** 2).sum() for part in np.split(values, [low, high]))
        for low in range(1, 35)
        for high in range(low + 1, 36)
    }
    parts = np.split(values, min(costs, key=costs.__getitem__))
    square = np.zeros((9, 9))
    square[np.triu_indices(9, k=1)] = generator.permutation(values)
    found = sensitive_elements(torch.from_numpy(square)).numpy()
    assert set(square[found]) == {*parts[1], *parts[2]}


def test_all_but_the_lowest_cluster_of_the_upper_triangle_is_sensitive() -> None:
    variance = torch.full((6, 6), 0.01)
    variance += torch.rand((6, 6), generator=torch.Generator().manual_seed(0)) * 1e-3
    variance[0, 1], variance[0, 2], variance[3, 5] = 0.5, 0.52, 2.0
    variance[2, 2], variance[4, 1] = 9.0, 9.0  # a variance of its own and a mirrored element do not count
    assert sensitive_elements(variance).nonzero().tolist() == [[0, 1], [0, 2], [3, 5]]
    assert not sensitive_elements(torch.ones(4, 4)).any()


def test_the_loss_is_the_mean_size_of_sensitive_covariances_and_reaches_no_other() -> None:
    covariances = covariance(normalised(seed=0)).requires_grad_()
    sensitive = torch.zeros(5, 5, dtype=torch.bool)
    sensitive[0, 3] = sensitive[1, 2] = True
    loss = whitening_loss(covariances, sensitive)
    expected = (covariances[:, 0, 3].abs() + covariances[:, 1, 2].abs()).mean() / 2
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert covariances.grad is not None
    assert torch.equal((covariances.grad != 0).all(dim=0), sensitive)
    assert whitening_loss(covariances, torch.zeros_like(sensitive)) == 0

"""Weighted L1 distances, forward and backward."""

import pytest
import torch
from torch import Tensor

from model import weighted_l1 as module
from model.weighted_l1 import weighted_l1


def random_embeddings(n_queries: int, n_support: int, n_units: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    h1 = torch.rand(n_queries, n_units, generator=generator, dtype=torch.float64)
    h2 = torch.rand(n_support, n_units, generator=generator, dtype=torch.float64)
    weight = torch.randn(n_units, generator=generator, dtype=torch.float64)  # of both signs
    return h1.requires_grad_(), h2.requires_grad_(), weight.requires_grad_()


@pytest.mark.parametrize("chunk_size", [1, 15, 15 * 7, 2**19])
def test_it_is_the_papers_sum_with_chunks_of_any_size(
    chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CPU_CHUNK_SIZE", chunk_size)
    h1, h2, weight = random_embeddings(3, 5, 17)
    expected = ((h1.unsqueeze(1) - h2).abs() * weight).sum(-1)
    torch.testing.assert_close(weighted_l1(h1, h2, weight), expected)


@pytest.mark.parametrize("chunk_size", [15 * 7, 2**19])
def test_its_gradients_are_those_of_finite_differences(
    chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CPU_CHUNK_SIZE", chunk_size)
    torch.autograd.gradcheck(weighted_l1, random_embeddings(3, 5, 17))


def test_equal_embeddings_have_no_gradient() -> None:
    h1, _, weight = random_embeddings(2, 2, 4)
    h2 = h1.detach().clone().requires_grad_()
    weighted_l1(h1[:1], h2[:1], weight).sum().backward()
    assert h1.grad is not None
    assert h1.grad.abs().sum() == 0

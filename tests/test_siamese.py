"""The networks: embeddings, comparison, initial weights."""

import pytest
import torch

from model.architecture import LAYERS, DenseConfig, ModelConfig
from model.networks import build_net
from model.siamese import DenseNet, SiameseNet

SMALL = ModelConfig(filters=(16, 16, 16, 32), units=64)


def net(config: ModelConfig = SMALL) -> SiameseNet:
    return SiameseNet(config, generator=torch.Generator().manual_seed(0))


def drawings(n: int, size: int = 35) -> torch.Tensor:
    return (torch.rand(n, 1, size, size, generator=torch.Generator().manual_seed(1)) > 0.9).float()


def test_the_papers_network_has_its_number_of_parameters_and_flops() -> None:
    paper = ModelConfig(image_size=105, kernels=(10, 7, 4, 4))
    assert sum(p.numel() for p in SiameseNet(paper).parameters()) == 38_951_745
    assert paper.n_flat == 9216
    assert paper.flops / 2 == pytest.approx(0.909e9, rel=0.002)
    conv2 = 42 * 42 * 7 * 7 * 64 * 128
    assert conv2 / (paper.flops / 2) == pytest.approx(0.78, abs=0.005)


@pytest.mark.parametrize("size", [28, 35, 52])
def test_the_architecture_is_what_the_layers_compute(size: int) -> None:
    config = ModelConfig(image_size=size, filters=(8, 8, 8, 8), kernels=(4, 3, 2, 1), units=16)
    assert net(config).embed(drawings(2, size)).shape == (2, 16)


def test_an_embedding_does_not_depend_on_its_batch() -> None:
    x = drawings(8)
    torch.testing.assert_close(net().embed(x)[:1], net().embed(x[:1]))


def test_compare_is_symmetric_and_equals_the_papers_formula() -> None:
    n = net()
    with torch.no_grad():
        n.head.weight.normal_(generator=torch.Generator().manual_seed(2))
        n.head.bias.fill_(0.3)
    h1, h2 = n.embed(drawings(12)).detach().chunk(2)
    expected = torch.stack(
        [(n.head.weight[0] * (a - b).abs()).sum() + 0.3 for a, b in zip(h1, h2, strict=True)]
    )
    torch.testing.assert_close(n.compare(h1, h2), expected)
    torch.testing.assert_close(n.compare(h2, h1), expected)


def test_blocks_compare_each_query_with_each_support_drawing_of_its_block() -> None:
    n = net()
    with torch.no_grad():
        n.head.weight.normal_(generator=torch.Generator().manual_seed(2))
    h1, h2 = torch.rand(2, 3, 64), torch.rand(2, 5, 64)
    logits = n.compare(h1, h2)
    assert logits.shape == (2, 3, 5)
    for r, q, s in [(0, 0, 0), (1, 2, 4), (0, 1, 3)]:
        torch.testing.assert_close(
            logits[r, q, s], n.compare(h1[r, q : q + 1], h2[r, s : s + 1])[0]
        )


def test_gradients_of_blocks_equal_those_of_pairs() -> None:
    n, gradients = net(), []
    h = torch.rand(1, 6, 64, generator=torch.Generator().manual_seed(3))
    for form in ("block", "pairs"):
        h1, h2 = (h[:, i : i + 3].clone().requires_grad_() for i in (0, 3))
        n.zero_grad()
        if form == "block":
            logits = n.compare(h1, h2)
        else:
            pairs = [
                n.compare(h1[0, q : q + 1], h2[0, s : s + 1]) for q in range(3) for s in range(3)
            ]
            logits = torch.cat(pairs).view(1, 3, 3)
        logits.logsumexp(-1).sum().backward()
        assert n.head.weight.grad is not None
        gradients.append([h1.grad, h2.grad, n.head.weight.grad.clone()])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_forward_embeds_both_twins_with_the_same_weights() -> None:
    n, x = net(), drawings(4)
    torch.testing.assert_close(n(x[:2], x[2:]), n.compare(n.embed(x[:2]), n.embed(x[2:])))


def test_the_logit_of_equal_images_is_the_bias() -> None:
    n, x = net(), drawings(3)
    torch.testing.assert_close(n(x, x), n.head.bias.expand(3))


def test_the_papers_initialisation_has_its_means_and_deviations() -> None:
    n = net(ModelConfig(units=512, init="paper"))
    for name in LAYERS:
        layer = n.get_submodule(name)
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, torch.Tensor)
        assert isinstance(bias, torch.Tensor)
        std = 0.01 if name.startswith("conv") else 0.2
        assert weight.std().item() == pytest.approx(std, rel=0.03)
        assert bias.mean().item() == pytest.approx(0.5, abs=0.03), name


def test_the_scaled_initialisation_is_not_saturated() -> None:
    h = net(ModelConfig(units=512)).embed(drawings(32))
    assert 0.1 < h.mean() < 0.9
    assert (h - 0.5).abs().mean() < 0.4


def test_bfloat16_is_close_to_float32() -> None:
    exact, fast = net(), net()
    fast.precision = "bfloat16"
    h = fast.embed(drawings(16))
    assert h.dtype == torch.float32
    torch.testing.assert_close(h, exact.embed(drawings(16)), atol=0.02, rtol=0)


def test_the_net_without_convolutions_has_two_layers_before_its_head() -> None:
    dense = build_net(DenseConfig(35, 64, 32), generator=torch.Generator().manual_seed(0))
    assert isinstance(dense, DenseNet)
    assert [name for name, _ in dense.named_children()] == ["fc1", "fc2", "head"]
    n_parameters = 35 * 35 * 64 + 64 + 64 * 32 + 32 + 32 + 1
    assert sum(p.numel() for p in dense.parameters()) == n_parameters
    assert dense.flops == 2 * (35 * 35 * 64 + 64 * 32)
    h = dense.embed(drawings(5))
    assert h.shape == (5, 32)
    assert ((h > 0) & (h < 1)).all()

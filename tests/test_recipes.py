"""What a step of training shows the network."""

from dataclasses import replace

import pytest
import torch
from tiny import config

from data.affine import IDENTITY, distort
from data.drawings import Drawings
from data.splits import Split
from model.architecture import ModelConfig
from model.losses import LOSSES, draw_characters, episode_losses, pair_losses
from model.siamese import SiameseNet


class Spy(SiameseNet):
    """Keeps the images that it embeds."""

    def embed(self, x_B1HW: torch.Tensor) -> torch.Tensor:
        self.seen = x_B1HW
        return super().embed(x_B1HW)


def spy_net() -> Spy:
    model = ModelConfig(filters=(8, 8, 8, 8), units=16)
    return Spy(model, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("recipe", ["paper", "episode"])
def test_both_twins_are_distorted_and_independently(
    recipe: str, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[torch.Tensor] = []

    def spy(x_B1HW: torch.Tensor, T_B7: torch.Tensor) -> torch.Tensor:
        drawn.append(T_B7)
        return distort(x_B1HW, T_B7)

    monkeypatch.setattr("model.losses.distort", spy)
    made = config(recipe, turns=False).fit
    plain, distorted = spy_net(), spy_net()
    for net, fit_config in ((plain, replace(made, distort=False)), (distorted, made)):
        # The first batch's drawings are drawn before its distortions: the same in both.
        next(
            LOSSES[recipe](net, parts.train, fit_config, generator=torch.Generator().manual_seed(0))
        )
    torch.testing.assert_close(distorted.seen, distort(plain.seen, drawn[0]))
    left, right = drawn[0].chunk(2)
    for side in (left, right):
        assert (side != torch.tensor(IDENTITY)).any(1).float().mean() > 0.7
    changed = (left != torch.tensor(IDENTITY)).any(1)
    assert not (left == right).all(1)[changed].any()


def test_without_distortion_the_network_sees_the_drawings_themselves(parts: Split) -> None:
    net, made = spy_net(), config("paper", distort=False)
    next(pair_losses(net, parts.train, made.fit, generator=torch.Generator().manual_seed(0)))
    known = {i.numpy().tobytes() for i in parts.train.images_NHW}
    seen = (net.seen.squeeze(1) * 255).round().to(torch.uint8)
    assert all(i.numpy().tobytes() in known for i in seen)


def test_turned_alphabets_turn_whole_alphabets(parts: Split) -> None:
    net, made = spy_net(), config(distort=False, turns=True)
    next(episode_losses(net, parts.train, made.fit, generator=torch.Generator().manual_seed(0)))
    rng = torch.Generator().manual_seed(0)
    first, second, alphabet = draw_characters(parts.train, 16, generator=rng)
    plain = parts.train.images_NHW[torch.cat([first, second])].float() / 255
    turn_of: dict[int, int] = {}
    for x, original, a in zip(net.seen.squeeze(1), plain, alphabet.repeat(2).tolist(), strict=True):
        fits = [k for k in range(4) if torch.allclose(x, torch.rot90(original, -k), atol=1e-3)]
        assert fits
        assert turn_of.setdefault(a, fits[0]) == fits[0]


def test_mirrored_alphabets_mirror_whole_alphabets_and_turn_them_too(parts: Split) -> None:
    net, made = spy_net(), config(distort=False, turns=True, mirrors=True)
    rng, again = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    seen: set[tuple[int, bool]] = set()
    losses = episode_losses(net, parts.train, replace(made.fit, steps_per_epoch=8), generator=rng)
    for _ in losses:
        first, second, alphabet = draw_characters(parts.train, 16, generator=again)
        again.set_state(rng.get_state())
        plain = parts.train.images_NHW[torch.cat([first, second])].float() / 255
        view_of: dict[int, tuple[int, bool]] = {}
        for x, p, a in zip(net.seen.squeeze(1), plain, alphabet.repeat(2).tolist(), strict=True):
            views = {
                (k, flip): p.flip(1) if flip else p for k in range(4) for flip in (False, True)
            }
            fits = [v for v, y in views.items() if close(x, torch.rot90(y, -v[0]))]
            assert fits
            assert view_of.setdefault(a, fits[0]) == fits[0]
        seen |= set(view_of.values())
    assert {flip for _, flip in seen} == {False, True}
    assert len({turn for turn, _ in seen}) > 1


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, atol=1e-3)


def test_a_step_fills_itself_with_whole_alphabets(parts: Split) -> None:
    d: Drawings = parts.train
    first, second, alphabet = draw_characters(d, 50, generator=torch.Generator().manual_seed(0))
    character = d.character_N[first]
    assert torch.equal(character, d.character_N[second])
    assert (first != second).all()
    assert len(character.unique()) == 50
    assert sorted(torch.bincount(alphabet).tolist(), reverse=True)[:3] == [20, 20, 10]

"""The losses of both recipes, and the images that a step shows the network."""

from dataclasses import replace

import pytest
import torch
from tiny import config

from data.affine import IDENTITY, distort
from data.drawings import Drawings
from data.splits import Split
from model.architecture import ModelConfig
from model.losses import LOSSES, episode_losses, pair_losses, sample_characters
from model.siamese import SiameseNet


class RecordingNet(SiameseNet):
    """Stores the images that it embeds."""

    def embed(self, x_B1HW: torch.Tensor) -> torch.Tensor:
        self.embedded = x_B1HW
        return super().embed(x_B1HW)


def recording_net() -> RecordingNet:
    model = ModelConfig(filters=(8, 8, 8, 8), units=16)
    return RecordingNet(model, generator=torch.Generator().manual_seed(0))


def is_close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, atol=1e-3)


@pytest.mark.parametrize("recipe", ["paper", "episode"])
def test_both_twins_are_distorted_independently(
    recipe: str, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    distortions: list[torch.Tensor] = []

    def recording_distort(x_B1HW: torch.Tensor, T_B7: torch.Tensor) -> torch.Tensor:
        distortions.append(T_B7)
        return distort(x_B1HW, T_B7)

    monkeypatch.setattr("model.losses.distort", recording_distort)
    made = config(recipe, turns=False).fit
    plain, distorted = recording_net(), recording_net()
    for net, fit_config in ((plain, replace(made, distort=False)), (distorted, made)):
        # The drawings of the first batch are drawn before its distortions: they are the same.
        generator = torch.Generator().manual_seed(0)
        next(LOSSES[recipe](net, parts.train, fit_config, generator=generator))
    torch.testing.assert_close(distorted.embedded, distort(plain.embedded, distortions[0]))
    left, right = distortions[0].chunk(2)
    for twin in (left, right):
        assert (twin != torch.tensor(IDENTITY)).any(1).float().mean() > 0.7
    is_distorted = (left != torch.tensor(IDENTITY)).any(1)
    assert not (left == right).all(1)[is_distorted].any()


def test_without_distortion_the_network_embeds_the_drawings(parts: Split) -> None:
    net, made = recording_net(), config("paper", distort=False)
    next(pair_losses(net, parts.train, made.fit, generator=torch.Generator().manual_seed(0)))
    known = {i.numpy().tobytes() for i in parts.train.images_NHW}
    seen = (net.embedded.squeeze(1) * 255).round().to(torch.uint8)
    assert all(i.numpy().tobytes() in known for i in seen)


@pytest.mark.parametrize(("mirrors", "n_steps"), [(False, 2), (True, 4)])
def test_turns_and_mirrors_change_whole_alphabets(
    mirrors: bool, n_steps: int, parts: Split
) -> None:
    net = recording_net()
    made = config(distort=False, turns=True, mirrors=mirrors, steps_per_epoch=n_steps).fit
    generator, same_generator = (torch.Generator().manual_seed(0) for _ in range(2))
    views: set[tuple[int, bool]] = set()
    for _ in episode_losses(net, parts.train, made, generator=generator):
        first, second, alphabet = sample_characters(parts.train, 16, generator=same_generator)
        same_generator.set_state(generator.get_state())
        originals = parts.train.images_NHW[torch.cat([first, second])].float() / 255
        view_of: dict[int, tuple[int, bool]] = {}
        for x, original, a in zip(
            net.embedded.squeeze(1), originals, alphabet.repeat(2).tolist(), strict=True
        ):
            view = view_of_original(x, original)
            assert view_of.setdefault(a, view) == view
        views |= set(view_of.values())
    assert len({turn for turn, _ in views}) > 1
    assert {mirrored for _, mirrored in views} == ({False, True} if mirrors else {False})


def view_of_original(x: torch.Tensor, original: torch.Tensor) -> tuple[int, bool]:
    """Return the number of rotations by 90 degrees and whether the drawing is mirrored."""
    for mirrored in (False, True):
        for turn in range(4):
            if is_close(x, torch.rot90(original.flip(1) if mirrored else original, -turn)):
                return turn, mirrored
    raise AssertionError("neither rotated nor mirrored")


def test_a_step_has_characters_of_as_few_alphabets_as_possible(parts: Split) -> None:
    d: Drawings = parts.train
    first, second, alphabet = sample_characters(d, 50, generator=torch.Generator().manual_seed(0))
    character = d.character_N[first]
    assert torch.equal(character, d.character_N[second])
    assert (first != second).all()
    assert len(character.unique()) == 50
    assert sorted(torch.bincount(alphabet).tolist(), reverse=True)[:3] == [20, 20, 10]

"""The losses of both recipes, and the images that a step shows the network."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny import config

from data.affine import IDENTITY, distort
from data.distortions import NO_DISTORTIONS
from data.drawings import Drawings
from data.splits import Split
from model.architecture import ModelConfig
from model.config import FitConfig
from model.device import ComputeConfig
from model.fit_state import FitState
from model.losses import (
    LOSSES,
    episode_losses,
    images_per_epoch,
    pair_losses,
    sample_characters,
    sample_episode,
    training_drawings,
)
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

    monkeypatch.setattr("model.augmentation.distort", recording_distort)
    made = config(recipe, turns=False).fit
    plain, distorted = recording_net(), recording_net()
    for net, fit_config in ((plain, replace(made, distort=NO_DISTORTIONS)), (distorted, made)):
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
    net, made = recording_net(), config("paper", distort=NO_DISTORTIONS)
    next(pair_losses(net, parts.train, made.fit, generator=torch.Generator().manual_seed(0)))
    known = {i.numpy().tobytes() for i in parts.train.images_NHW}
    seen = (net.embedded.squeeze(1) * 255).round().to(torch.uint8)
    assert all(i.numpy().tobytes() in known for i in seen)


def images_of_epochs(fit: FitConfig, train: Drawings) -> list[set[bytes]]:
    """The different images of each of two epochs of the paper's recipe, without distortions."""
    net, generator = recording_net(), torch.Generator().manual_seed(0)
    epochs: list[set[bytes]] = []
    for _ in range(2):
        epochs.append(set())
        for _ in pair_losses(net, train, fit, generator=generator):
            epochs[-1] |= {x.numpy().tobytes() for x in net.embedded.detach()}
    return epochs


@pytest.mark.parametrize("new_pairs", [False, True])
def test_every_epoch_has_the_same_pairs_unless_they_are_new(new_pairs: bool, parts: Split) -> None:
    made = config("paper", distort=NO_DISTORTIONS, n_pairs=24, new_pairs=new_pairs).fit
    first, second = images_of_epochs(made, parts.train)
    assert (first == second) is not new_pairs


@pytest.mark.parametrize(("n_drawers", "expected"), [(12, 12), (20, 20)])
def test_the_papers_recipe_trains_on_the_drawings_of_some_drawers(
    n_drawers: int, expected: int, parts: Split
) -> None:
    made = config("paper", n_drawers=n_drawers).fit
    assert len(training_drawings(parts.train, made).drawer_N.unique()) == expected


@pytest.mark.parametrize(("mirrors", "n_steps"), [(False, 2), (True, 4)])
def test_turns_and_mirrors_change_whole_alphabets(
    mirrors: bool, n_steps: int, parts: Split
) -> None:
    net = recording_net()
    made = config(distort=NO_DISTORTIONS, turns=True, mirrors=mirrors, steps_per_epoch=n_steps).fit
    generator, same_generator = (torch.Generator().manual_seed(0) for _ in range(2))
    views: set[tuple[int, bool]] = set()
    for _ in episode_losses(net, parts.train, made, generator=generator):
        position, alphabet = sample_characters(parts.train, 16, 2, generator=same_generator)
        same_generator.set_state(generator.get_state())
        originals = parts.train.images_NHW[position].float() / 255
        view_of: dict[int, tuple[int, bool]] = {}
        for x, original, a in zip(
            net.embedded.squeeze(1), originals, alphabet.tolist(), strict=True
        ):
            view = view_of_original(x, original)
            assert view_of.setdefault(a, view) == view
        views |= set(view_of.values())
    assert len({turn for turn, _ in views}) > 1
    assert {mirrored for _, mirrored in views} == ({False, True} if mirrors else {False})


@pytest.mark.parametrize("mirrors", [False, True])
def test_turns_and_mirrors_change_both_drawings_of_a_pair(mirrors: bool, parts: Split) -> None:
    plain, turned = recording_net(), recording_net()
    made = config("paper", distort=NO_DISTORTIONS).fit
    for net, fit_config in (
        (plain, made),
        (turned, replace(made, turns=True, mirrors=mirrors)),
    ):
        generator = torch.Generator().manual_seed(0)
        next(pair_losses(net, parts.train, fit_config, generator=generator))
    views = [
        view_of_original(x, original)
        for x, original in zip(turned.embedded.squeeze(1), plain.embedded.squeeze(1), strict=True)
    ]
    left, right = views[: len(views) // 2], views[len(views) // 2 :]
    assert left == right
    assert {turn for turn, _ in left} == {0, 1, 2, 3}
    assert {mirrored for _, mirrored in left} == ({False, True} if mirrors else {False})


def view_of_original(x: torch.Tensor, original: torch.Tensor) -> tuple[int, bool]:
    """Return the number of rotations by 90 degrees and whether the drawing is mirrored."""
    for mirrored in (False, True):
        for turn in range(4):
            if is_close(x, torch.rot90(original.flip(1) if mirrored else original, -turn)):
                return turn, mirrored
    raise AssertionError("neither rotated nor mirrored")


def test_a_step_has_characters_of_as_few_alphabets_as_possible(parts: Split) -> None:
    d: Drawings = parts.train
    generator = torch.Generator().manual_seed(0)
    position, alphabet = sample_characters(d, 50, 2, generator=generator)
    first, second = position.chunk(2)
    character = d.character_N[first]
    assert torch.equal(character, d.character_N[second])
    assert (first != second).all()
    assert len(character.unique()) == 50
    assert sorted(torch.bincount(alphabet[:50]).tolist(), reverse=True)[:3] == [20, 20, 10]


@pytest.mark.parametrize("n_drawings", [3, 5])
def test_a_step_has_different_drawings_of_each_character(n_drawings: int, parts: Split) -> None:
    generator = torch.Generator().manual_seed(0)
    position, _ = sample_characters(parts.train, 30, n_drawings, generator=generator)
    by_drawing = position.view(n_drawings, 30)
    character = parts.train.character_N[by_drawing]
    assert (character == character[0]).all()
    for column in by_drawing.T:
        assert len(column.unique()) == n_drawings


def test_every_further_drawing_is_equally_likely(parts: Split) -> None:
    generator, counts = torch.Generator().manual_seed(0), torch.zeros(20)
    for _ in range(200):
        position, _ = sample_characters(parts.train, 60, 3, generator=generator)
        drawer = parts.train.drawer_N[position.view(3, 60)[2]]
        counts += torch.bincount(drawer, minlength=20)
    assert counts.min() > 0.85 * counts.mean()
    assert counts.max() < 1.15 * counts.mean()


def test_the_loss_of_three_drawings_is_the_mean_over_their_pairs(parts: Split) -> None:
    made = config(n_drawings=3, steps_per_epoch=1)
    state = FitState(made, 0, ComputeConfig(torch.device("cpu")))
    generator, same_generator = (torch.Generator().manual_seed(0) for _ in range(2))
    loss = next(episode_losses(state.net, parts.train, made.fit, generator=generator))
    x = sample_episode(parts.train, made.fit, generator=same_generator)
    h = state.net.embed(x).view(3, 16, -1)
    target, losses = torch.arange(16), []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        logits = state.net.compare(h[i : i + 1], h[j : j + 1])[0]
        losses += [F.cross_entropy(logits, target), F.cross_entropy(logits.T, target)]
    torch.testing.assert_close(loss, torch.stack(losses).mean())
    assert images_per_epoch(made.fit) == 3 * 16

"""Comparing one's own drawings, and the command that does it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import here
from PIL import Image

from data.episodes import Dataset
from data.paths import PRETRAINED
from data.pictures import to_image
from data.splits import split_dataset
from model.architecture import ModelConfig
from model.checkpoint import load_network
from model.evaluate import episode_logits
from model.image_inputs import support_classes
from model.siamese import SiameseNet
from model.similarity import class_logits, embed_images, similarity

Compare = Callable[..., tuple[int, str, str]]


@pytest.fixture
def net() -> SiameseNet:
    model = ModelConfig(filters=(8, 8, 8, 8), units=16)
    return SiameseNet(model, generator=torch.Generator().manual_seed(0)).eval()


def test_one_drawing_a_class_is_the_one_shot_task(net: SiameseNet, packed: Dataset) -> None:
    parts = split_dataset(packed)
    expected = episode_logits(net, parts.test, parts.official)[0]
    query, support = parts.official.query_RQ[0], parts.official.support_RS[0]
    images = parts.test.images_NHW
    found = class_logits(
        net,
        embed_images(net, images[query]),
        embed_images(net, images[support]),
        torch.arange(len(support)),
    )
    torch.testing.assert_close(found, expected)


def test_several_drawings_of_a_class_count_by_their_mean(net: SiameseNet, packed: Dataset) -> None:
    h = embed_images(net, packed.drawings.images_NHW[:7])
    query, support, class_S = h[:2], h[2:], torch.tensor([0, 1, 0, 1, 1])
    found = class_logits(net, query, support, class_S)
    each = torch.stack([net.compare(query, s.expand_as(query)) for s in support], dim=1)
    expected = torch.stack([each[:, class_S == c].mean(1) for c in (0, 1)], dim=1)
    torch.testing.assert_close(found, expected)


def test_similarity_is_a_half_at_the_threshold() -> None:
    found = similarity(torch.tensor([-20.0, -14.0, 5.0]), -14.0)
    assert found[1].item() == 0.5
    assert found.tolist() == sorted(found.tolist())


@pytest.fixture
def drawn(packed_105: Dataset, tmp_path: Path) -> Path:
    """Ten characters by one drawer under support/, by another under queries/, as pictures."""
    drawings = packed_105.drawings
    for folder in ("support", "queries"):
        (tmp_path / folder).mkdir()
    for c in range(10):
        first = int(drawings.first_C[c])
        to_image(drawings.images_NHW[first]).save(tmp_path / f"support/c{c}.png")
        to_image(drawings.images_NHW[first + 1]).save(tmp_path / f"queries/c{c}.png")
    return tmp_path


@pytest.fixture
def compare(
    drawn: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Compare:
    """Return what runs compare.py in the folder and returns its status, output and errors."""

    def run(*flags: str) -> tuple[int, str, str]:
        end = here(drawn, monkeypatch, "compare.py", *flags)
        said = capsys.readouterr()
        return (0 if end is None else int(end.code or 0)), said.out, said.err

    return run


def test_two_images_are_compared(compare: Compare) -> None:
    status, same, _ = compare("queries/c3.png", "queries/c3.png")
    assert status == 0
    assert "queries/c3.png and queries/c3.png" in same
    assert "the same character" in same
    _, other, _ = compare("queries/c3.png", "support/c5.png")
    assert "not the same" in other


def test_queries_are_ranked_and_most_are_right(compare: Compare) -> None:
    status, out, err = compare("queries", "--support", "support", "--json", "--top", "3")
    assert (status, err) == (0, "")
    answers = json.loads(out)["answers"]
    assert len(answers) == 10
    right = 0
    for answer in answers:
        names = [match["name"] for match in answer["ranking"]]
        values = [match["similarity"] for match in answer["ranking"]]
        assert len(names) == 3
        assert values == sorted(values, reverse=True)
        right += names[0] == Path(answer["query"]).stem
    # Chance is 1 of 10. The glyphs are nothing like what the pretrained network has seen.
    assert right >= 5


def test_subfolders_are_classes_of_several_images(drawn: Path, compare: Compare) -> None:
    for c in (1, 2):
        (drawn / f"many/k{c}").mkdir(parents=True)
        for folder in ("support", "queries"):
            path = drawn / f"many/k{c}/{folder}.png"
            path.write_bytes((drawn / f"{folder}/c{c}.png").read_bytes())
    assert {n: len(f) for n, f in support_classes([drawn / "many"]).items()} == {"k1": 2, "k2": 2}
    _, out, _ = compare("queries/c1.png", "--support", "many")
    assert out.splitlines()[1].split()[1] == "k1"


def test_equal_names_of_different_files_stay_different_classes(drawn: Path) -> None:
    names = support_classes([drawn / "support/c1.png", drawn / "queries/c1.png"])
    assert len(names) == 2
    assert len(support_classes([drawn / "support", drawn / "queries"])) == 20
    for folder in ("one", "two"):
        (drawn / folder / "k").mkdir(parents=True)
        (drawn / folder / "k/1.png").write_bytes((drawn / "support/c1.png").read_bytes())
    assert len(support_classes([drawn / "one", drawn / "two"])) == 2


def test_a_name_made_longer_may_be_taken_as_well(drawn: Path) -> None:
    for folder in ("one/k", "two/k", "one/two/k"):
        (drawn / folder).mkdir(parents=True)
        (drawn / folder / "1.png").write_bytes((drawn / "support/c1.png").read_bytes())
    relative = [Path(os.path.relpath(drawn / name)) for name in ("one", "two")]
    inner = f"{relative[1]}/k"
    (relative[0] / inner).mkdir(parents=True, exist_ok=True)
    assert len(support_classes(relative)) == 3


def test_a_query_that_cannot_be_read_leaves_the_others_alone(drawn: Path, compare: Compare) -> None:
    to_image(torch.zeros(20, 20)).save(drawn / "queries/blank.png")
    (drawn / "queries/text.png").write_text("no image")
    status, out, err = compare("queries", "--support", "support", "--json")
    assert status == 2
    assert "2 could not be read" in err
    assert len(err.splitlines()) == 1
    answers = json.loads(out)["answers"]
    assert [Path(a["query"]).name for a in answers if "error" in a] == ["blank.png", "text.png"]
    assert len([a for a in answers if "ranking" in a]) == 10
    status, out, err = compare("queries/c1.png", "--support", "queries")
    assert (status, out) == (2, "")


def test_the_page_shows_queries_and_answers(drawn: Path, compare: Compare) -> None:
    compare("queries", "--support", "support", "--html", "page.html")
    page = (drawn / "page.html").read_text()
    assert "c3.png" in page
    assert page.count("<img") == 10 * 6
    assert "http://" not in page


def test_a_light_drawing_on_dark_paper_is_the_same(drawn: Path, compare: Compare) -> None:
    dark = Image.open(drawn / "queries/c3.png").convert("L")
    dark.point(lambda v: 255 - v).save(drawn / "light.png")
    _, out, _ = compare("light.png", "queries/c3.png")
    assert "the same character" in out
    _, out, _ = compare("light.png", "queries/c3.png", "--no-invert")
    assert "not the same" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["queries/c1.png"], "two images are compared, not 1"),
        (["queries/c1.png", "nowhere.png"], "nowhere.png does not exist"),
        (["queries/c1.png", "text.png"], "text.png is no image"),
        (["queries/c1.png", "blank.png"], "No ink is to be seen on blank.png"),
        (["queries/c1.png", "--support", "empty"], "No image lies under empty"),
        (["queries", "--support", "support", "--checkpoint", "text.png"], "torn or not one of"),
        (["queries", "--support", "support", "--html", "text.png/x.html"], "cannot be written"),
    ],
)
def test_bad_images_are_one_line_and_status_2(
    flags: list[str], message: str, drawn: Path, compare: Compare
) -> None:
    (drawn / "text.png").write_text("hello")
    (drawn / "empty").mkdir()
    Image.new("L", (50, 50), 255).save(drawn / "blank.png")
    status, _, error = compare(*flags)
    assert status == 2
    assert message in error
    assert len(error.splitlines()) == 1


def test_from_python_as_the_readme_says() -> None:
    net, config, _ = load_network(PRETRAINED)
    images = torch.zeros(2, config.model.image_size, config.model.image_size, dtype=torch.uint8)
    assert embed_images(net, images).shape == (2, config.model.units)

"""Comparing a user's own images: from files to ranked classes, and the command that does it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import run_in_process
from PIL import Image

from data.episodes import Dataset
from data.errors import InputError
from data.image_folder import parse_dataset_name
from data.paths import PRETRAINED
from data.pictures import to_image
from data.preparation import Preparation
from data.splits import Split
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from model.architecture import ModelConfig
from model.checkpoint import load_network, save_network
from model.comparison import Comparison, compare_images, rank_classes
from model.comparison_output import (
    comparison_json,
    comparison_text,
    format_verdict,
    require_all_readable,
)
from model.device import ComputeConfig
from model.evaluate import episode_logits
from model.image_inputs import image_reader, split_inputs, support_classes
from model.networks import build_net
from model.siamese import SiameseNet
from model.similarity import class_logits, embed_images, similarity

CPU = ComputeConfig(torch.device("cpu"))
Compare = Callable[..., tuple[int, str, str]]


@pytest.fixture
def net() -> SiameseNet:
    model = ModelConfig(filters=(8, 8, 8, 8), units=16)
    return SiameseNet(model, generator=torch.Generator().manual_seed(0)).eval()


def test_one_image_per_class_is_the_one_shot_task(net: SiameseNet, parts: Split) -> None:
    expected = episode_logits(net, parts.test, parts.official)[0]
    query_Q, support_S = parts.official.query_RQ[0], parts.official.support_RS[0]
    h_QE, h_SE = (embed_images(net, parts.test.images_NHW[p]) for p in (query_Q, support_S))
    logits = class_logits(net, h_QE, h_SE, torch.arange(len(support_S)))
    torch.testing.assert_close(logits, expected)


def test_several_images_of_a_class_count_by_their_mean(net: SiameseNet, parts: Split) -> None:
    h_NE = embed_images(net, parts.test.images_NHW[:7])
    h_QE, h_SE, class_S = h_NE[:2], h_NE[2:], torch.tensor([0, 1, 0, 1, 1])
    logits_QS = torch.stack([net.compare(h_QE, h.expand_as(h_QE)) for h in h_SE], dim=1)
    expected = torch.stack([logits_QS[:, class_S == c].mean(1) for c in (0, 1)], dim=1)
    torch.testing.assert_close(class_logits(net, h_QE, h_SE, class_S), expected)


def test_the_similarity_is_a_half_at_the_threshold() -> None:
    similarities = similarity(torch.tensor([-20.0, -14.0, 5.0]), -14.0)
    assert similarities[1].item() == 0.5
    assert similarities.tolist() == sorted(similarities.tolist())


def test_classes_are_ranked_by_falling_logit() -> None:
    [ranking] = rank_classes(torch.tensor([[0.0, 2.0, 1.0]]), ["a", "b", "c"], 1.0)
    assert [(match.name, match.logit) for match in ranking] == [("b", 2), ("c", 1), ("a", 0)]
    assert ranking[1].similarity == 0.5


@pytest.fixture(scope="session")
def pictures(packed_105: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten characters by one drawer under support/, by another under queries/."""
    folder, drawings = tmp_path_factory.mktemp("pictures"), packed_105.drawings
    for drawer, name in enumerate(("support", "queries")):
        (folder / name).mkdir()
        for c in range(10):
            image = drawings.images_NHW[int(drawings.first_C[c]) + drawer]
            to_image(image).save(folder / name / f"c{c}.png")
    (folder / "text.png").write_text("hello")
    Image.new("L", (50, 50), 255).save(folder / "blank.png")
    return folder


@pytest.fixture
def drawn(pictures: Path, tmp_path: Path) -> Path:
    """A copy of the pictures that a test may change."""
    shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
    return tmp_path


def compare(
    queries: list[Path], support: list[Path], preparation: Preparation | None = None
) -> Comparison:
    return compare_images(
        queries, support, PRETRAINED, preparation=preparation or Preparation(), compute=CPU
    )


def test_the_pretrained_network_answers_most_queries_correctly(pictures: Path) -> None:
    queries, support = split_inputs([pictures / "queries"], [pictures / "support"])
    comparison = compare(queries, support)
    assert (len(comparison.queries), len(comparison.class_drawings)) == (10, 10)
    names = [ranking[0].name for ranking in comparison.rankings]
    n_correct = sum(query.stem == n for query, n in zip(comparison.queries, names, strict=True))
    # Chance is 1 of 10. The network was not trained on anything like these glyphs.
    assert n_correct >= 5
    answers = json.loads(comparison_json(comparison, 3))["answers"]
    assert [Path(answer["query"]).name for answer in answers] == [q.name for q in queries]
    assert [len(answer["ranking"]) for answer in answers] == [3] * 10
    for answer in answers:
        similarities = [match["similarity"] for match in answer["ranking"]]
        assert similarities == sorted(similarities, reverse=True)
    assert comparison_text(comparison, 3).count("similarity") == 30


@pytest.mark.parametrize(
    ("name", "light_ink", "verdict"),
    [("c3", None, "same"), ("light", None, "same"), ("c5", None, "not")],
)
def test_two_images_are_the_same_character_or_not(
    name: str, light_ink: bool | None, verdict: str, drawn: Path
) -> None:
    dark = Image.open(drawn / "queries/c3.png").convert("L")
    dark.point(lambda value: 255 - value).save(drawn / "queries/light.png")
    other, original = drawn / f"queries/{name}.png", drawn / "queries/c3.png"
    comparison = compare([other], [original], Preparation(light_ink=light_ink))
    expected = {"same": " · the same character", "not": " · not the same"}[verdict]
    assert format_verdict(comparison, comparison.rankings[0][0]) == expected
    assert comparison_text(comparison, 1).startswith(f"{other} and {original}: similarity")


def test_light_ink_is_recognised_unless_it_is_ruled_out(drawn: Path) -> None:
    original = drawn / "queries/c3.png"
    light = drawn / "queries/light.png"
    Image.open(original).convert("L").point(lambda value: 255 - value).save(light)
    logits = [
        compare([light], [original], Preparation(light_ink=light_ink)).rankings[0][0].logit
        for light_ink in (None, False)
    ]
    assert logits[0] > logits[1]


def test_a_network_without_a_threshold_ranks_by_logits(pictures: Path, tmp_path: Path) -> None:
    net, config, _ = load_network(PRETRAINED)
    save_network(tmp_path / "net.pt", net, config, {"data": "omniglot"})
    queries = [pictures / "queries/c1.png"]
    comparison = compare_images(
        queries, queries, tmp_path / "net.pt", preparation=Preparation(), compute=CPU
    )
    assert comparison.threshold is None
    assert comparison.rankings[0][0].similarity is None
    assert "logit" in comparison_text(comparison, 1)
    assert "threshold" in format_verdict(comparison, comparison.rankings[0][0])


def test_a_network_that_contradicts_its_data_set_is_refused(pictures: Path, tmp_path: Path) -> None:
    config = base_config(StudySettings(image_size=20))
    net = build_net(config.model, generator=torch.Generator().manual_seed(0))
    save_network(tmp_path / "net.pt", net, config, {"data": "letters+colour"})
    queries = [pictures / "queries/c1.png"]
    with pytest.raises(InputError, match=r"net\.pt must have 3 channels"):
        compare_images(
            queries, queries, tmp_path / "net.pt", preparation=Preparation(), compute=CPU
        )


def test_images_of_a_folder_data_set_are_not_prepared(pictures: Path) -> None:
    assert parse_dataset_name("letters+colour") is not None
    read = image_reader("letters+colour", 20, Preparation())
    assert read(pictures / "queries/c1.png").shape == (3, 20, 20)
    with pytest.raises(InputError, match="--no-binarize"):
        image_reader("letters", 20, Preparation(binarize=False))


def test_queries_that_cannot_be_read_do_not_affect_the_others(pictures: Path) -> None:
    unreadable = [pictures / "blank.png", pictures / "text.png"]
    queries = [pictures / "queries/c1.png", *unreadable]
    comparison = compare(queries, [pictures / "support"])
    assert comparison.queries == queries[:1]
    assert list(comparison.errors) == unreadable
    answers = json.loads(comparison_json(comparison, 1))["answers"]
    assert [Path(a["query"]).name for a in answers if "error" in a] == ["blank.png", "text.png"]
    with pytest.raises(InputError, match=r"2 of 3 .*blank\.png"):
        require_all_readable(comparison)
    comparison.errors.clear()
    require_all_readable(comparison)


@pytest.mark.parametrize(
    ("query", "support"),
    [("queries/c1.png", "text.png"), ("text.png", "queries/c1.png")],
)
def test_without_a_readable_query_or_with_an_unreadable_support_nothing_is_compared(
    query: str, support: str, pictures: Path
) -> None:
    with pytest.raises(InputError, match=r"text\.png"):
        compare([pictures / query], [pictures / support])


def test_two_images_alone_are_a_query_and_its_support(pictures: Path) -> None:
    a, b = pictures / "queries/c1.png", pictures / "queries/c2.png"
    assert split_inputs([a, b], []) == ([a], [b])
    with pytest.raises(InputError, match=r"--support .* 1\."):
        split_inputs([a], [])


def test_subfolders_are_classes_of_several_images(drawn: Path) -> None:
    for c in (1, 2):
        (drawn / f"many/k{c}").mkdir(parents=True)
        for folder in ("support", "queries"):
            shutil.copy(drawn / folder / f"c{c}.png", drawn / f"many/k{c}/{folder}.png")
    classes = support_classes([drawn / "many"])
    assert {name: len(files) for name, files in classes.items()} == {"k1": 2, "k2": 2}
    comparison = compare([drawn / "queries/c1.png"], [drawn / "many"])
    assert comparison.rankings[0][0].name == "k1"


def test_equal_names_of_different_files_are_different_classes(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = drawn / "support/c1.png"
    assert len(support_classes([image, drawn / "queries/c1.png"])) == 2
    assert len(support_classes([drawn / "support", drawn / "queries"])) == 20
    monkeypatch.chdir(drawn)
    for folder in ("one/k", "two/k", "one/two/k"):  # "two/k" is the name of two classes
        Path(folder).mkdir(parents=True)
        shutil.copy(image, Path(folder) / "1.png")
    assert len(support_classes([Path("one"), Path("two")])) == 3
    shutil.copy(image, drawn / "queries/c1.jpg")
    assert len(support_classes([drawn / "queries"])) == 11


@pytest.fixture
def command(
    drawn: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Compare:
    """Return a function that runs compare.py: its exit status, output and errors."""

    def run(*flags: str) -> tuple[int, str, str]:
        end = run_in_process(drawn, monkeypatch, "compare.py", *flags)
        output = capsys.readouterr()
        return (0 if end is None else int(end.code or 0)), output.out, output.err

    return run


def test_the_command_writes_json_and_a_page(drawn: Path, command: Compare) -> None:
    flags = ("queries", "--support", "support", "--json", "--top", "2", "--html", "page.html")
    status, output, errors = command(*flags)
    assert (status, errors) == (0, "")
    assert len(json.loads(output)["answers"]) == 10
    page = (drawn / "page.html").read_text()
    assert "c3.png" in page
    assert page.count("<img") == 10 * 3
    assert "http://" not in page


@pytest.mark.parametrize(
    ("flags", "name", "has_output"),
    [
        (["queries/c1.png"], "--support", False),
        (["queries/c1.png", "missing.png"], "missing.png", False),
        (["queries/c1.png", "text.png"], "text.png", False),
        (["queries/c1.png", "blank.png"], "blank.png", False),
        (["queries/c1.png", "--support", "empty"], "empty", False),
        (["queries/c1.png", "--support", "support", "--checkpoint", "text.png"], "text.png", False),
        (["queries/c1.png", "--support", "support", "--html", "text.png/x.html"], "x.html", True),
        (["queries/c1.png", "text.png", "--support", "support"], "text.png", True),
    ],
)
def test_an_input_error_is_one_line_and_status_2(
    flags: list[str], name: str, has_output: bool, drawn: Path, command: Compare
) -> None:
    (drawn / "empty").mkdir()
    status, output, errors = command(*flags)
    assert status == 2
    assert name in errors
    assert len(errors.splitlines()) == 1
    assert bool(output) is has_output


def test_the_python_example_of_the_readme() -> None:
    net, config, _ = load_network(PRETRAINED)
    images = torch.zeros(2, config.model.image_size, config.model.image_size, dtype=torch.uint8)
    assert embed_images(net, images).shape == (2, config.conv.units)

"""What run_study.py says at its end: what to do next, and what the winner is worth."""

from dataclasses import replace
from pathlib import Path

from made import study as made_study
from made import trial
from tiny import TINY

from hpo.cli.study import next_commands
from hpo.runtime.supervisor import describe_finalists
from hpo.search.winner import describe_value
from hpo.study.budget import Budget
from hpo.study.open import default_study_name
from hpo.study.settings import RunConfig
from hpo.study.trials import FINALISTS

JOB = RunConfig(TINY, "sqlite:///study.db", default_study_name(TINY), Budget(30))


def test_the_next_commands_bear_the_flags_that_they_need() -> None:
    assert next_commands(JOB) == ["uv run dashboard.py", "uv run retrain_best.py"]
    run_config = replace(JOB, study_name="my study", data_root=Path("my images"))
    assert next_commands(run_config) == [
        "uv run dashboard.py --study-name 'my study'",
        "uv run retrain_best.py --study-name 'my study' --data-root 'my images'",
    ]
    away = replace(JOB, storage="postgresql://me:secret@host/db")
    assert "--storage postgresql://me:***@host/db" in next_commands(away)[0].replace("'", "")
    assert "secret" not in "".join(next_commands(away))


def test_a_part_of_the_space_is_in_the_studys_name() -> None:
    assert default_study_name(TINY) == "glyphs-35-episode-lr-units"
    assert default_study_name(replace(TINY, search=type(TINY)().search)) == "glyphs-35-episode"


def test_a_winner_is_worth_its_fresh_fits_and_says_its_luck() -> None:
    study = made_study()
    study.add_trial(trial("COMPLETE", [0.8]))
    [best] = study.trials
    assert describe_value(study, best) == "80.0% of the validation episodes"
    study.set_user_attr(FINALISTS, {"accuracies": {"0": [0.7, 0.72]}, "winner": 0, "first": 0})
    told = "71.0% of fresh validation episodes, mean of 2 fits (80.0% in the search)"
    assert describe_value(study, best) == told


def test_the_time_left_says_what_it_does_not_count() -> None:
    assert describe_finalists(JOB) == "10 fits of finalists"
    assert describe_finalists(replace(JOB, budget=Budget(3))) == "6 fits of finalists"
    assert describe_finalists(replace(JOB, n_finalists=1)) == ""

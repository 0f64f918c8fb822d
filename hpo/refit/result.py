"""The result of a retraining, the content of ``result.json``, as validated types.

The JSON file is flatter than these types: it stores the fields of ``origin`` in the result itself,
and the fields of ``fit`` and ``metrics`` in each seed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.labels import episodes_label
from hpo.refit.fit_record import FitRecord
from model.config import Config
from model.metrics import BaselineMetrics, NetworkMetrics, json_values
from model.schema import SCHEMA, upgrade
from model.summary import Summary

RESULT_FILE = "result.json"


@dataclass(frozen=True)
class SeedResult:
    """One fit and its evaluation.

    Args:
        seed: seed of the fit.
        fit: how it was trained; None for a saved network.
        metrics: its metrics on the test.
    """

    seed: int
    fit: FitRecord | None
    metrics: NetworkMetrics


@dataclass(frozen=True)
class TrialOrigin:
    """The trial that was refitted, or the point of a settings file.

    Args:
        storage: address of the database, without folders and password; empty for a point.
        study: name of the study.
        trial: number of the trial; None for a point.
        study_value: its value in the study, an accuracy in [0, 1]; None for a point.
        study_seconds: wall time of the study with its finalists; 0 for a point.
        train_on: ``"train"`` or ``"train+val"``.
        value_text: its accuracy as text; for a finalist, the accuracy of its new fits. Empty in old
            files.
    """

    storage: str
    study: str
    trial: int | None
    study_value: float | None
    study_seconds: float
    train_on: str
    value_text: str = ""

    def __str__(self) -> str:
        """Return study and trial as text."""
        return f"{self.study}, trial {self.trial}" if self.trial is not None else self.value_text


@dataclass(frozen=True, kw_only=True)
class RetrainResult:
    """The content of ``result.json``.

    Args:
        schema: version of the stored fields.
        data: name of the data set.
        data_digest: digest of the data set.
        origin: refitted trial; None for the evaluation of a saved network.
        config: configuration of every fit.
        provenance: see :func:`model.provenance.provenance`.
        wall_seconds: wall time of the retraining; None for a saved network.
        summary: means over the seeds.
        n_way: number of candidates of an official episode.
        official_interval: 95 % Wilson interval of the official accuracy, for a single network with
            the mean accuracy, as if its episodes were independent.
        seeds: every fit of a fresh seed.
        baseline: metrics of 1-NN on pixels.
        chosen: fits of the study that chose the winner, which are in none of the fields above.
        is_official: False if random test episodes replaced the official ones. Old files do not
            say so; they count as official.
        settings: sections of a settings file that repeats the retraining: ``retrain_best.py
            --config result.json``. Empty in old files and for a saved network.
    """

    schema: int = SCHEMA
    data: str
    data_digest: str
    origin: TrialOrigin | None
    config: Config
    provenance: dict[str, Any]
    wall_seconds: float | None = None
    summary: Summary
    n_way: int
    official_interval: tuple[float, float]
    seeds: list[SeedResult]
    baseline: BaselineMetrics
    chosen: list[SeedResult] = field(default_factory=list)
    is_official: bool = True
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def episodes_label(self) -> str:
        """Adjective for the test episodes; see :func:`data.labels.episodes_label`."""
        return episodes_label(self.data, self.is_official)

    @property
    def val_is_held_out(self) -> bool:
        """Whether the validation alphabets were held out from training."""
        return self.summary.verification is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON values of ``result.json``."""
        values = _flatten(json_values(self), "origin")
        for name in ("seeds", "chosen"):
            values[name] = [_flatten_seed(seed) for seed in values[name]]
        optional = ("wall_seconds", "chosen", "settings")
        return {k: v for k, v in values.items() if k not in optional or v not in (None, [], {})}

    @classmethod
    def read(cls, path: Path) -> "RetrainResult":
        """Read a file that contains the values of :meth:`to_dict`, in any schema version.

        Raises:
            InputError: the file cannot be read, or a field is missing or invalid.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error}). Correct the path.") from error
        except ValueError as error:
            raise InputError(f"{path} is not JSON. Write it again with retrain_best.py.") from error
        return cls.from_dict(values, str(path))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = RESULT_FILE) -> "RetrainResult":
        """Return the result from the values of :meth:`to_dict`, in any schema version.

        Args:
            values: JSON values.
            source: name of the file, for the error message.

        Raises:
            InputError: a field is missing or invalid.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            values = upgrade("result", values)
            nested = _nest(values, "origin", TrialOrigin)
            nested["config"] = Config.from_dict(nested["config"])
            nested["seeds"] = [_nest_seed(seed) for seed in nested["seeds"]]
            nested["chosen"] = [_nest_seed(seed) for seed in nested.get("chosen", [])]
            result: RetrainResult = TypeAdapter(cls).validate_python(nested)
            return result
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            names = [str(name) for name in first["loc"] if name not in ("origin", "fit", "metrics")]
            reason = f"{'.'.join(names)}: {first['msg']}"
        except KeyError as error:
            reason = f"{error.args[0]}: Field required"
        except (TypeError, AttributeError) as error:
            reason = str(error)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
        raise InputError(
            f"{source} must contain a result of retrain_best.py, but {reason}. Choose another "
            "file, or run retrain_best.py again."
        )


def _flatten(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the values with the nested field ``name`` replaced by the fields inside it."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (value or {}) if key == name else {key: value}
    return flat


def _flatten_seed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of :func:`_nest_seed`, flat again; ``in_study`` is left out if false."""
    flat = _flatten(_flatten(values, "fit"), "metrics")
    return {key: value for key, value in flat.items() if key != "in_study" or value}


def _nest_seed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a fit with the fields of its fit and its metrics in two new fields."""
    return _nest(_nest(values, "fit", FitRecord), "metrics", NetworkMetrics)


def _nest(values: Mapping[str, Any], name: str, kind: type) -> dict[str, Any]:
    """Return values with the fields of a dataclass moved into a new field; None without them."""
    names = {field.name for field in fields(kind)}
    inner = {key: value for key, value in values.items() if key in names}
    return {k: v for k, v in values.items() if k not in names} | {name: inner or None}

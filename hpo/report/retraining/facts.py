"""What was fitted: the facts of a retraining and its settings file, for its report."""

from data.text import redact_command, redact_storage
from hpo.refit.result import RetrainResult
from hpo.report.html_page import Section
from hpo.settings.config_text import format_config


def settings_sections_of(result: RetrainResult) -> list[Section]:
    """Return the settings file that repeats a retraining; empty for an old result."""
    if not result.settings:
        return []
    note = (
        "Save it as retrain.toml. `uv run retrain_best.py --config retrain.toml` repeats the "
        "retraining without its study."
    )
    return [Section("Settings file", note, code=format_config(result.settings))]


def result_facts(result: RetrainResult) -> dict[str, str]:
    """Return what was fitted, with which software and on which machine, one line each."""
    origin, config, provenance = result.origin, result.config, result.provenance
    model, fit = config.to_dict()["model"], config.to_dict()["fit"]
    rates = [f"{r.lr:.3g}/{r.momentum:.3g}/{r.l2_penalty:.2g}" for r in config.fit.rates]
    facts = {}
    if origin and origin.trial is not None:
        facts = {
            "study": f"{origin.study} in {redact_storage(origin.storage)}",
            "trial": f"{origin.trial}, {origin.value_text or f'{origin.study_value:.1%}'}",
        }
    if origin:
        facts |= {"configuration": str(origin), "trained on": origin.train_on}
    return facts | {
        "network": " · ".join(f"{name} {value}" for name, value in model.items()),
        "lr/momentum/l2": f"{', '.join(config.model.layers)}: {', '.join(rates)}",
        "fit": " · ".join(f"{name} {value}" for name, value in fit.items() if name != "rates"),
        "seconds per fit": ", ".join(f"{s.fit.seconds:.0f}" for s in result.seeds if s.fit),
        "data": f"{result.data}, digest {result.data_digest[:12]}",
        "versions": " · ".join(
            f"{name} {version}" for name, version in provenance["versions"].items()
        ),
        "machine": " · ".join(str(provenance[name]) for name in ("cpu", "device", "precision")),
        "commit": f"{provenance['commit']}{' with changes' if provenance['dirty'] else ''}",
        "command": redact_command(provenance["command"]),
    }

"""What a retraining's report says in words and tables."""

from hpo.paper import ADDED, CITED
from hpo.result import lookup, reported_metrics, format_mean
from hpo.result_records import Result
from hpo.wording import redact_command, redact_storage, test_episodes_label


def result_headline(result: Result) -> str:
    """Return the official figure with its spread over fits and its interval."""
    low, high = result["official_interval"]
    n, official = len(result["seeds"]), result["baseline"]["official"]["n_episodes"]
    adjective = test_episodes_label(result["data"])
    whose = f"Lake's official {official}" if adjective == "official" else f"{official} {adjective}"
    fits = "1 fit" if n == 1 else f"mean ± standard deviation of {n} fits"
    return (
        f"{format_mean(result['summary']['official'])} of {whose} episodes ({fits}; "
        f"95\u00a0% interval of one network {low:.1%} to {high:.1%})"
    )


def result_facts(result: Result) -> dict[str, str]:
    """Return what was fitted, on what, by what, a line each."""
    made, config = result["provenance"], result["config"]
    model, fit = config["model"], config["fit"]
    held = ("study", "trial", "study_value", "worth", "train_on", "storage")
    given = {name: str(result[name]) for name in held if name in result}
    if "study_value" in given:
        given["study_value"] = f"{result['study_value']:.1%} of the study's validation episodes"
    rates = [f"{r['lr']:.3g}/{r['momentum']:.3g}/{r['l2_penalty']:.2g}" for r in fit["rates"]]
    return given | {
        "storage": redact_storage(given.get("storage", "–")),
        "network": " · ".join(f"{name} {value}" for name, value in model.items()),
        "lr/momentum/l2": "conv1 … conv4, fc1, head: " + ", ".join(rates),
        "fit": " · ".join(f"{n} {v}" for n, v in fit.items() if n != "rates"),
        "seconds per fit": ", ".join(
            f"{s['seconds']:.0f}" for s in result["seeds"] if "seconds" in s
        ),
        "data": f"{result['data']}, digest {result['data_digest'][:12]}",
        "versions": " · ".join(f"{n} {v}" for n, v in made["versions"].items()),
        "machine": " · ".join(str(made[n]) for n in ("cpu", "device", "precision")),
        "commit": f"{made['commit']}{' with changes' if made['dirty'] else ''}",
        "command": redact_command(made["command"]),
    }


def headline_table(result: Result) -> list[list[str]]:
    """Return mean ± deviation and every fit's figure, a row each."""
    rows = [["", "ours", *(f"seed {s['seed']}" for s in result["seeds"]), "1-NN on pixels"]]
    for name, line in reported_metrics(result):
        each = [f"{lookup(seed, line.seed):.1%}" for seed in result["seeds"]]
        base = lookup(result["baseline"], line.baseline)
        mean = format_mean(lookup(result["summary"], line.summary))
        rows.append([name, mean, *each, "–" if base is None else f"{base:.1%}"])
    return rows


def table_2_with_ours(result: Result) -> list[list[str]]:
    """Return the paper's Table 2 with our row where it belongs."""
    ours = result["summary"]["official"]
    rows = [(share, name, f"{100 * share:.1f} %") for name, share in (CITED | ADDED).items()]
    rows.append((ours["mean"], "ours", format_mean(ours)))
    shown = [[name, said] for _, name, said in sorted(rows, key=lambda row: -row[0])]
    return [["20-way one-shot, official episodes", "right"], *shown]

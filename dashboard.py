"""Look at a study in the browser, while it runs or afterwards."""

import argparse

from hpo.console import DEFAULT_STORAGE, positive, run_script


def parse() -> argparse.Namespace:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(description="Serve optuna-dashboard on this machine alone.")
    parser.add_argument("--storage", default=DEFAULT_STORAGE, metavar="URL")
    parser.add_argument("--port", type=positive, default=8080)
    return parser.parse_args()


def main() -> None:
    """Serve until Ctrl-C."""
    args = parse()
    import optuna_dashboard

    from data.errors import InputError, hide_password
    from hpo.storage import open_storage

    storage = open_storage(args.storage, create=False)
    print(
        f"{hide_password(args.storage)} on http://127.0.0.1:{args.port}/ (Ctrl-C ends)", flush=True
    )
    try:
        optuna_dashboard.run_server(storage, host="127.0.0.1", port=args.port)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Port {args.port} of 127.0.0.1 cannot be used ({error}). Name another --port."
        ) from error


if __name__ == "__main__":
    run_script(main, "The dashboard has ended; the study is untouched.")

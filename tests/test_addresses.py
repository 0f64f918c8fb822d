import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from commands import run_in_process
from optuna.exceptions import StorageInternalError

from data.addresses import check_address
from data.errors import InputError
from data.text import hide_password
from hpo.study.storage import open_storage, storage_errors

PSYCOPG = "postgresql+psycopg://"


def refusal(address: str) -> str:
    with pytest.raises(InputError) as caught:
        open_storage(address)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "repair"),
    [
        ("postgres://u:Hunter2@h/d", r"Use postgresql\+psycopg://"),
        ("postgres+psycopg://u:Hunter2@h/d", r"Use postgresql\+psycopg://"),
        ("redis://:Hunter2@h/0", r"redis.*postgresql\+psycopg:// or sqlite:///"),
        ("oracle://u:Hunter2@h/d", r"oracle.*postgresql\+psycopg:// or sqlite:///"),
        ("postgresql+nonsense://u:Hunter2@h/d", r"\+nonsense.*postgresql\+psycopg://"),
        ("postgresql+asyncpg://u:Hunter2@h/d", r"\+asyncpg.*postgresql\+psycopg://"),
        ("postgresql:u:Hunter2@h/d", r"postgresql\+psycopg://"),
        ("u:Hunter2@h/d", r"postgresql\+psycopg://"),
        ("host=h user=u password='Hunter2' dbname=d", r"postgresql\+psycopg://"),
    ],
)
def test_another_system_driver_or_form_is_one_line(address: str, repair: str) -> None:
    error = refusal(address)
    assert re.search(repair, error)
    assert "Hunter2" not in error


@pytest.mark.parametrize(
    ("port", "value"),
    [
        (":${PORT}", "'${PORT}'"),
        (":", "''"),
        (":5432d", "'5432d'"),
        (":0", "'0'"),
        (":-1", "'-1'"),
        (":65536", "'65536'"),
        (":5432,other:5433", "'5432,other:5433'"),
        (":abc", "something else"),
        ("/d?port=5432d&x=1", "'5432d'"),
    ],
)
def test_a_port_that_is_no_number_is_one_line(port: str, value: str) -> None:
    error = refusal(f"{PSYCOPG}u:Hunter2@h{port}")
    assert f"65535, but is {value}" in error
    assert "Correct the port" in error
    assert "Hunter2" not in error


@pytest.mark.parametrize("address", ["u:Hunter2", "u:Hunter2/d", "u:@:Hunter2@/d", "Hunter2:x@y@h"])
def test_nothing_that_may_be_a_password_is_shown(address: str) -> None:
    assert "Hunter2" not in refusal(PSYCOPG + address).replace("://Hunter2:***", "")


@pytest.mark.parametrize(
    "password",
    [
        *(
            "Hunter2@xyz#1",
            "Hunter2@x/y:z",
            "Hun@ter2 xyz",
            "a/b@Hunter2:xyz",
            "Hunter2\n@xyz",
            "@xyz@",
        )
    ],
)
@pytest.mark.parametrize("end", ["@h/d", "@h:5432/d?x=1", "@/d", "@h:x/d"])
def test_a_password_with_an_at_sign_must_be_encoded(password: str, end: str) -> None:
    error = refusal(f"{PSYCOPG}u:{password}{end}")
    assert "percent-encode" in error
    assert "%40" in error
    for part in ("Hunter2", "xyz", "ter2"):
        assert part not in error


@pytest.mark.parametrize("end", ["#1", "#1/d", "${HOST}/d", " y/d", "%40h/d"])
def test_the_rest_of_a_password_is_not_taken_for_a_host(end: str) -> None:
    error = refusal(f"{PSYCOPG}u:Hunter2@xyz{end}")
    assert re.search("Correct the host.*percent-encode", error)
    assert "Hunter2" not in error
    assert "xyz" not in error


@pytest.mark.parametrize(
    "password", ["a:b", "a/b", "a?b", "50%", "a b", "a'b", 'a"b', "a#b", "%40"]
)
def test_other_passwords_reach_the_driver(password: str) -> None:
    address = f"{PSYCOPG}u:{password}@h:5432/d"
    check_address(address)
    url = sqlalchemy.make_url(address)
    assert (url.host, url.port, url.database) == ("h", 5432, "d")
    assert url.password == password.replace("%40", "@")


@pytest.mark.parametrize(
    "address",
    [
        *("u@h/d", "h/d", "/d", "u:p@/d?host=/run/pg", "u:p@[::1]:5432/d", "h_1.example:1/d"),
        *("me@srv:pw@srv.example/d", "u@h/d?options=a@b", ""),
    ],
)
def test_an_address_that_can_be_right_is_accepted(address: str) -> None:
    check_address(PSYCOPG + address)


@pytest.mark.parametrize(
    "password", ["Hunter2 xyz", "{Hunter2}", "Hunter2'xyz", "50%Hunter2", "a/Hunter2"]
)
def test_no_message_of_the_driver_shows_a_password(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **keywords: Any) -> None:
        assert keywords["password"] == password
        raise sqlalchemy.exc.OperationalError("", None, Exception(f"conninfo password={password}"))

    monkeypatch.setattr("psycopg.connect", refuse)
    error = refusal(f"{PSYCOPG}u:{password}@h/d")
    assert "conninfo password=***" in error
    assert "Check that its server" in error
    assert "Hunter2" not in error
    assert "xyz" not in error


def test_a_missing_host_is_named() -> None:
    with pytest.raises(InputError, match="names no host"), storage_errors(f"{PSYCOPG}u:p@/d"):
        raise StorageInternalError from ConnectionRefusedError("no socket")
    with pytest.raises(InputError) as caught, storage_errors(f"{PSYCOPG}u:p@h/d"):
        raise StorageInternalError from ConnectionRefusedError("refused")
    assert "names no host" not in str(caught.value)


def test_a_missing_driver_is_named() -> None:
    error = refusal("mysql://u:Hunter2@h/d")
    assert re.search(r"MySQLdb.*postgresql\+psycopg://", error)
    assert "Hunter2" not in error


@pytest.mark.parametrize(
    ("address", "repair"),
    [
        ("sqlite://study.db", "three slashes"),
        ("sqlite://folder/study.db", "three slashes"),
        ("sqlite://u:Hunter2@h/study.db", "three slashes"),
        ("sqlite:///file:study.db?uri=true", "Remove 'file:'"),
        ("sqlite://", r"file.*sqlite:///study\.db"),
        ("sqlite:///", r"file.*sqlite:///study\.db"),
        ("sqlite:///?x=1", r"file.*sqlite:///study\.db"),
        ("sqlite:///.", r"is a folder.*study\.db"),
        ("sqlite:////", r"/ is a folder.*study\.db"),
    ],
)
def test_an_address_of_sqlite_names_a_file(
    address: str, repair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = refusal(address)
    assert re.search(repair, error)
    assert "--storage" in error
    assert "Hunter2" not in error
    with pytest.raises(InputError, match=repair):
        open_storage(address, create=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a{b}.db", "{}.db", "50%.db"])
def test_a_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    open_storage(f"sqlite:///{tmp_path}/{name}").close()
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("script", ["run_study.py", "dashboard.py", "retrain_best.py"])
def test_every_command_checks_the_address_first(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--storage", f"{PSYCOPG}u:Hunter2@xyz#1@h/d"]
    end = run_in_process(tmp_path, monkeypatch, script, *flags)
    assert end is not None
    assert end.code == 2
    output = "".join(capsys.readouterr())
    assert output.startswith("error: ")
    assert len(output.splitlines()) == 1
    assert "Hunter2" not in output
    assert "xyz" not in output


@pytest.mark.parametrize(
    "address",
    [
        *("x://u:a b@Hunter2@h/d", "x://u:a@Hunter2 b@h/d", "x://u/y:Hunter2@h/d"),
        *("x://u:a\nHunter2@h/d", "x://u v:Hunter2@h/d", "x://u@h/d?password=a Hunter2"),
    ],
)
def test_a_password_with_any_character_is_hidden(address: str) -> None:
    assert "Hunter2" not in hide_password(address)

from data.text import first_line, make_printable, redact_command, redact_storage, text_table


def test_the_first_line_of_an_error_has_no_password() -> None:
    assert first_line(ValueError("postgresql://me:pw@host/db\nsecond")) == (
        "postgresql://me:***@host/db"
    )
    assert first_line(ValueError()) == "ValueError"


def test_a_storage_is_named_without_folders_and_password() -> None:
    assert redact_storage("sqlite:////home/me/study.db") == "sqlite:///study.db"
    assert redact_storage("mysql://me:pw@host/db?ssl=1") == "mysql://me:***@host/db"


def test_a_command_is_shown_without_folders_and_passwords() -> None:
    command = ["run_study.py", "--storage=mysql://me:pw@host/db", "/home/me/data", "--seed", "1"]
    assert redact_command(command) == "run_study.py --storage=mysql://me:***@host/db data --seed 1"


def test_control_characters_are_replaced() -> None:
    assert make_printable("a\tb\x1b[2J") == "a?b?[2J"


def test_columns_are_aligned_without_trailing_spaces() -> None:
    assert text_table([("name", "n"), ("a", "10"), ("", "")], indent="> ") == (
        "> name  n\n> a     10\n> "
    )

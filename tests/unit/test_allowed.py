"""Why a kernel does not let programs write into a process."""

from pathlib import Path

import pytest

from goinst.run.permissions import lockdown_mode, why_not


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("none [integrity] confidentiality\n", "integrity", "locked down"),
        ("none integrity [confidentiality]\n", "confidentiality", "locked down"),
        ("[none] integrity confidentiality\n", "none", "CAP_SYS_ADMIN"),
        (None, "absent", "securityfs"),
    ],
)
def test_the_mode_in_force_is_told(tmp_path: Path, text: str | None, mode: str, said: str) -> None:
    file = tmp_path / "lockdown"
    if text is not None:
        file.write_text(text)
    assert lockdown_mode(file) == mode
    reason = why_not("Invalid argument", file)
    assert said in reason
    assert "\n" not in reason
    assert str(file) in reason or mode == "none"
    assert why_not(True, file) == ""


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert lockdown_mode(tmp_path) == "unreadable"
    assert "cannot be read" in why_not("Operation not permitted", tmp_path)

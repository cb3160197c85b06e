"""``agent-kill init``."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from killswitch import config
from tests.cli.support import run


def test_it_writes_a_file_that_can_be_read_and_knows_who_is_here(tmp_path: Path) -> None:
    done = run("init", str(tmp_path / "new"))
    assert done.code == 0
    file = tmp_path / "new" / "killswitch.yaml"
    loaded = config.load(file)
    login = pwd.getpwuid(os.getuid()).pw_name
    assert list(loaded.written.people.os_logins) == [login]
    assert "# your login here" in file.read_text()
    assert f"-c {file} doctor" in done.out
    assert [p.name for p in file.parent.iterdir()] == ["killswitch.yaml"]


def test_it_never_writes_over_a_file_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "killswitch.yaml"
    file.write_text("mine: yes\n")
    done = run("init", cwd=tmp_path)
    assert done.code == 7
    assert "--force" in done.err
    assert file.read_text() == "mine: yes\n"
    assert run("init", "--force", cwd=tmp_path).code == 0
    assert "mine" not in file.read_text()


def test_where_it_cannot_write_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("init", str(tmp_path / "file" / "below"))
    assert done.code == 1
    assert "cannot be written" in done.err
    assert "Traceback" not in done.err

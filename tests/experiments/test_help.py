"""What ``--help`` says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from experiments.cli import COMMANDS, main


def test_help_needs_no_torch() -> None:
    program = "import sys; from experiments.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for command in ("fit", "test", "predict", "translate", "score", "average", "fetch"):
        assert command in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_is_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    assert re.match(rf"usage: seqlab {name}\b", usage)
    description = " ".join(rest.partition("\n\n")[0].split())
    assert description[:1].isupper(), description
    assert description.endswith((".", "?")) or f"xample: seqlab {name} " in description, description


def test_help_shows_what_the_docstrings_say(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["fit", "--model.help", "lightning_modules.nmt.AttentionNMT"])
    assert left.value.code == 0
    assert "Share of the target distribution spread evenly" in " ".join(capsys.readouterr().out.split())

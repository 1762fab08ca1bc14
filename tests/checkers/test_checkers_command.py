"""`check_backend` on commands: plain integers pass in Python and C, mistakes are told where."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spikeport.toolchain.checkers import check_backend, golden
from spikeport.toolchain.checkers.golden_vectors import case_names
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ROOT / "examples" / "plain_backend.py"


def wrong_plain(folder: Path, before: str, after: str) -> str:
    """The command of the plain backend with one line changed."""
    text = PLAIN.read_text()
    assert text.count(before) == 1
    (folder / "wrong_backend.py").write_text(text.replace(before, after))
    return f"{sys.executable} {folder / 'wrong_backend.py'}"


def test_plain_integers_pass() -> None:
    report = check_backend(f"{sys.executable} {PLAIN}", neurons=["if"])
    assert report.passed, str(report)
    assert [check.name for check in report.checks] == ["command ends", *case_names(("if",))]
    assert sum(int(check.detail.split()[0]) for check in report.checks[1:]) == sum(
        case.recorded[key].size
        for name in case_names(("if",))
        for case in [golden.read(name)]
        for key in case.recorded
        if key[:4] in ("payl", "stat", "satu")
    )


MISTAKES: list[tuple[str, str, str]] = [
    (
        "int(v > theta)",
        "int(v >= theta)",
        r"payload of if@1, layer 1, decision 20, timestep 0, neuron 1: expected 0, got 1 \(20 "
        r"of 5472 differ\)",
    ),
    (
        "theta // 2 for",
        "0 for",
        r"(payload|state) of if@1, layer 0, decision 0, timestep 0, neuron \d: expected",
    ),
    (
        "alpha * dv + 32",
        "alpha * dv",
        r"state of if@1, layer \d, decision \d+, timestep 0, neuron \d: expected",
    ),
    ('-old["spikes"][j] * theta', "-(2**40)", r"of if@1, layer \d, decision \d+, timestep 0"),
    (
        " >> 6), 0), theta)",
        " >> 6), 0), 2 * theta)",
        r"of if@1, layer \d, decision \d+, timestep 0",
    ),
    (
        " >> 6), 0), theta)",
        " >> 6), -theta), theta)",
        r"of if@1, layer \d, decision \d+, timestep 0",
    ),
    (
        "T * b for b",
        "b for b",
        r"state of readout@1, layer \d, decision 0, timestep 0, neuron 0: expected",
    ),
    (
        "if t == 0:\n            state",
        "if t >= 0:\n            state",
        r"of if@1, layer 0, decision 0, timestep 1, neuron",
    ),
    (
        "min(max(free, -LIMIT), LIMIT)",
        "free",
        r"state of if@1, layer 0, decision \d+, timestep \d, neuron \d: expected -?\d+, got",
    ),
    (
        "clips += v != free",
        "clips += 0",
        r"saturations of if@1, layer 0, decision \d+: expected \d+, got 0",
    ),
    ("control == 1:", "control and old:", r"of if@1, layer \d, decision \d+, timestep 0"),
    (
        "v - theta * spikes[j]",
        "v * (1 - spikes[j])",
        r"state of if@1, layer 0, decision 0, timestep \d, neuron",
    ),
    ('+ layer["bias"][j]', "", r"of if@1, layer 0, decision 0, timestep 0"),
]


@pytest.mark.parametrize(
    ("before", "after", "told"), MISTAKES, ids=[case[1].strip() or "no bias" for case in MISTAKES]
)
def test_a_mistake_is_told_where(tmp_path: Path, before: str, after: str, told: str) -> None:
    report = check_backend(wrong_plain(tmp_path, before, after), neurons=["if"])
    assert not report.passed
    assert any(re.search(told, check.detail) for check in report.failures), str(report)


def test_neurons_that_a_backend_does_not_have_fail() -> None:
    report = check_backend([sys.executable, str(PLAIN)], neurons=["if", "mt"])
    assert {check.name.split("-")[0] for check in report.failures} == {"mt"}


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_backend_in_c(tmp_path: Path) -> None:
    source = (ROOT / "tests" / "third_party" / "backend.c").read_text()
    mistakes = {
        "": "",
        "q == 0)": "0)",
        "change && (": "change && (d == 0 || ",
        ">> shift)": ">> shift) + 0 * k",
        "1L << (shift - 1)": "0L",
        "acc > 0 || l->identity": "1",
    }
    for number, (before, after) in enumerate(mistakes.items()):
        assert not before or source.count(before) == 1, before
        program = tmp_path / f"backend{number}"
        program.with_suffix(".c").write_text(source.replace(before, after) if before else source)
        subprocess.run(
            ["cc", "-O1", "-Wall", "-o", str(program), str(program.with_suffix(".c"))],
            check=True,
            timeout=60,
        )
        report = check_backend(str(program), neurons=["sdn"])
        assert report.passed == (after in ("", ">> shift) + 0 * k")), (before, str(report))


RESULTS: list[tuple[str, str]] = [
    ("pass", r"RESULTS/if-t1-a0\.json was not written"),
    ("text = 'no'", r"RESULTS/if-t1-a0\.json is not JSON: "),
    ("text = '[' * 100000", r"RESULTS/if-t1-a0\.json is not JSON: "),
    ("text = '[]'", r"RESULTS/if-t1-a0\.json has list, payloads, states, saturations expected"),
    (
        "text = json.dumps(good | {'extra': 1})",
        r"has extra, payloads, saturations, states, payloads",
    ),
    ("good['payloads'] = 3; text = json.dumps(good)", r"payloads is not a list of layers"),
    (
        "good['payloads'].pop(); text = json.dumps(good)",
        r"1 layers of payloads and 2 of states, 2 of each expected",
    ),
    (
        "good['states'][0][0][0].pop(); text = json.dumps(good)",
        r"states of layer 0: the lists differ in length",
    ),
    (
        "good['states'][0].pop(); text = json.dumps(good)",
        r"states of layer 0 have shape \(23, 1, 6\), \(24, 1, 6\) expected",
    ),
    (
        "good['states'][0][0][0][0] += 0.5; text = json.dumps(good)",
        r"states of layer 0: whole numbers expected, got float64",
    ),
    (
        "good['states'][0][0][0][0] = 2**80; text = json.dumps(good)",
        r"states of layer 0: whole numbers expected, got object",
    ),
    (
        "good['states'][0][0][0][0] = 'a'; text = json.dumps(good)",
        r"states of layer 0: whole numbers expected, got <U",
    ),
    ("good['saturations'] = [0]; text = json.dumps(good)", r"saturations have 1 dimensions"),
    (
        "good['saturations'][3][0] += 1; text = json.dumps(good)",
        r"saturations of if@1, layer 0, decision 3: expected 0, got 1 \(1 of 432 differ\)",
    ),
    (
        "good['states'][1][5][0][1] += 1; text = json.dumps(good)",
        r"state of readout@1, layer 1, decision 5, timestep 0, neuron 1: expected (-?\d+), got",
    ),
]


@pytest.mark.parametrize(("line", "told"), RESULTS, ids=[case[1][:30] for case in RESULTS])
def test_results_that_do_not_fit(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "b.py").write_text(
        f"import json, pathlib, sys\nsys.path.insert(0, {str(PLAIN.parent)!r})\nfrom plain_backend"
        " import run\nvectors, results = map(pathlib.Path, sys.argv[1:])\ntext = None\nfor path in"
        " vectors.glob('if-t1-a0.json'):\n    case = json.loads(path.read_text())\n    assert"
        f" 'expected' not in case\n    good = run(case)\n    {line}\n    if text is not None:"
        " (results / path.name).write_text(text)\n"
    )
    report = check_backend([sys.executable, str(tmp_path / "b.py")], neurons=["if"])
    found = next(check for check in report.checks if check.name == "if-t1-a0")
    assert not found.passed and re.search(told, found.detail), found


def test_commands_that_fail(tmp_path: Path) -> None:
    dies = check_backend(
        [sys.executable, "-c", "import sys; sys.exit('out of \\x1b[31mink')"], neurons=["mt"]
    )
    assert not dies.passed and re.search(
        r"exit code 1 after .* its last words: out of", dies.checks[0].detail
    )
    hangs = check_backend(
        f"{sys.executable} -c 'import time; time.sleep(60)'", neurons=["mt"], timeout_s=0.5
    )
    assert hangs.checks[0].detail == "still running after 0.5 s; its process group was ended"
    with pytest.raises(
        InputError,
        match=(
            r"^--backend-command: cannot be started: No such file or directory \(got ./absent,"
            r" limit a program"
        ),
    ):
        check_backend("./absent", neurons=["mt"])
    with pytest.raises(
        InputError,
        match=(
            r"^--neurons: no vectors for this neuron \(got izhikevich, limit dc, if, leaky, lif,"
            r" mt, sdn, snm\)"
        ),
    ):
        check_backend(FastBackend, neurons=["izhikevich"])
    with pytest.raises(InputError, match="^--backend-command: names no program"):
        check_backend("")
    with pytest.raises(InputError, match=r"^--timeout: no time to run in \(got 0, limit above 0\)"):
        check_backend("true", timeout_s=0)

"""torch.export programs and TorchScript archives.

The actions are the module's own, nothing in the file runs.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.graph_files import actor, repacked, scripted
from tests.support.policy_files import Payload, pickled, write, zip_bytes

torch = pytest.importorskip("torch")
OBSERVATIONS = np.random.default_rng(3).normal(scale=2.0, size=(64, 4)).astype(np.float32)
FORMATS = {
    "trace": "torchscript",
    "script": "torchscript",
    "export": "torch.export",
    "export any batch": "torch.export",
    "export decomposed": "torch.export",
}
CASES = [
    ("relu", torch.nn.ReLU(inplace=True), "tanh", 0.0),
    ("elu", torch.nn.ELU(), "clip", 1.5),
    ("silu", torch.nn.SiLU(), "gsde", 0.0),
    ("gelu", torch.nn.GELU(), "sigmoid", 1.0),
    ("leaky_relu", torch.nn.LeakyReLU(), "relu", 0.0),
    ("softplus", torch.nn.Softplus(), "raw", 2.0),
    ("tanh", torch.nn.Tanh(), "negative tanh", 1.0),
    ("sigmoid", torch.nn.Sigmoid(), "tanh", 0.0),
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
@pytest.mark.proves(direction="in", format=["TorchScript", "torch.export"])
def test_actions_are_the_modules(
    tmp_path: Path, case: tuple[str, Any, str, float], form: str
) -> None:
    name, activation, out, clip = case
    module = actor(activation, out=out, clip=clip)
    path = scripted(module, 4, tmp_path / "a.pt", form)
    if (name, form) == (
        "softplus",
        "export decomposed",
    ):  # taken apart into comparisons, which are not put together again
        assert re.search("log1p is not supported.*where is not supported", refusal(path))
        return
    policy = load_policy(path)
    assert policy.provenance.format == FORMATS[form]
    assert policy.layers[0].activation == policy.layers[
        1
    ].activation == name and policy.observation.clip == (clip or None)
    with torch.no_grad():
        wanted = module(torch.from_numpy(OBSERVATIONS)).numpy()
    np.testing.assert_allclose(
        policy.act(OBSERVATIONS), wanted, rtol=0, atol=3e-6 * max(1.0, float(np.abs(wanted).max()))
    )


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_policy(path, **options)
    assert caught.value.where.startswith(path.name) and caught.value.fix
    return str(caught.value)


class Two(torch.nn.Module):
    """An action and a value, as an actor-critic returns them."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self.critic = torch.nn.Linear(4, 2), torch.nn.Linear(4, 1)

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.actor(observation), self.critic(observation)


@pytest.mark.parametrize("form", ["trace", "script", "export"])
def test_several_outputs_are_asked_about(tmp_path: Path, form: str) -> None:
    path = scripted(Two(), 4, tmp_path / "a.pt", form)
    text = refusal(path)
    names = re.search(r"got outputs (\w+), (\w+), limit one output", text)
    assert names and "Fix: --action-output NAME" in text
    policy = load_policy(path, action_output=names.group(1))
    assert policy.action.size == 2


class Branching(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 0):
            x = x * 2.0
        for _ in range(int(x.shape[0])):
            x = x + 1.0
        return torch.cumsum(x, 1)


def test_everything_unsupported_is_named_at_once(tmp_path: Path) -> None:
    text = refusal(scripted(Branching(), 4, tmp_path / "a.pt", "script"))
    assert text.startswith("a.pt: ") and "control flow" in text and "forward line" in text

    class Odd(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.softmax(torch.cos(x), -1) + torch.selu(x)

    text = refusal(scripted(Odd(), 4, tmp_path / "a.pt", "export"))
    assert all(
        re.search(rf"node {name}: {name} is not supported", text)
        for name in ("cos", "softmax", "selu")
    )
    text = refusal(scripted(Odd(), 4, tmp_path / "a.pt", "trace"))
    assert all(
        re.search(rf"forward line \d+: {name} is not supported", text)
        for name in ("cos", "softmax", "selu")
    )


def test_recurrent_policies_are_refused_by_name(tmp_path: Path) -> None:
    class Recurrent(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = torch.nn.GRUCell(4, 3)

        def forward(self, x: Any) -> Any:
            return self.cell(x)

    assert "gru_cell is recurrent; only policies without memory are read" in refusal(
        scripted(Recurrent(), 4, tmp_path / "a.pt", "export")
    )


class Aliased(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x)
        torch.relu_(y)
        return self.layer(y)


def test_a_value_changed_in_place_is_not_read_again(tmp_path: Path) -> None:
    assert "linear reads a value after it was changed in place" in refusal(
        scripted(Aliased(), 4, tmp_path / "a.pt", "script")
    )
    module = Aliased()
    wanted = module(torch.from_numpy(OBSERVATIONS)).detach().numpy()
    for form in ("export", "trace"):  # these follow the value themselves
        np.testing.assert_allclose(
            load_policy(scripted(module, 4, tmp_path / "a.pt", form)).act(OBSERVATIONS),
            wanted,
            atol=3e-6,
        )


def test_dropout_in_training_is_refused(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Dropout())
    assert "dropout is in training mode; save the policy after eval()" in refusal(
        scripted(module.train(), 4, tmp_path / "a.pt", "script")
    )
    assert load_policy(scripted(module.eval(), 4, tmp_path / "a.pt", "script")).action.size == 2


def test_payloads_do_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = scripted(torch.nn.Linear(4, 2), 4, tmp_path / "s.pt", "script")
    for member in ("data.pkl", "constants.pkl"):
        text = refusal(
            write(tmp_path / "p.pt", repacked(script, {member: pickled(Payload(mark), 2)}))
        )
        assert (
            "the archive names a Python object that is not loaded (got posix.system" in text
            and "nothing was executed" in text
        )
    code = (
        b"class Linear(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    import os\n    _0 ="
        b' os.system("touch MARK", x)\n    return _0\n'
    )
    with zipfile.ZipFile(script) as archive:
        member = next(
            name
            for name in archive.namelist()
            if name.endswith("Linear.py") or "linear" in name and name.endswith(".py")
        )
    member = member.split("/", 1)[1]
    text = refusal(
        write(
            tmp_path / "c.pt", repacked(script, {member: code.replace(b"MARK", str(mark).encode())})
        )
    )
    assert (
        "Import is control flow or a statement that is not supported" in text
        and "is not supported" in text
    )
    program = scripted(torch.nn.Linear(4, 2), 4, tmp_path / "e.pt2", "export")
    assert (
        load_policy(
            write(
                tmp_path / "e2.pt2",
                repacked(program, {"data/sample_inputs/model.pt": pickled(Payload(mark))}),
            )
        ).action.size
        == 2
    )
    with zipfile.ZipFile(program) as archive:
        config = next(
            name for name in archive.namelist() if name.endswith("model_weights_config.json")
        )
        facts = json.loads(archive.read(config))
    for entry in facts["config"].values():
        entry["use_pickle"] = True
    changed = repacked(
        program,
        {
            config.split("/", 1)[1]: json.dumps(facts).encode(),
            "data/weights/weight_0": pickled(Payload(mark)),
        },
    )
    assert "it is stored as a pickle, which is not loaded" in refusal(
        write(tmp_path / "w.pt2", changed)
    )
    assert not mark.exists()


CODE = "class Linear(Module):\n  def forward(self, x: Tensor) -> Tensor:\n"
HOSTILE_CODE = {
    "nested": (
        CODE + "    return " + "-" * 15_000 + "1\n",
        "is not readable|not supported|nested too deeply",
    ),
    "long": (CODE + "    return " + "x." * 20_000 + "x\n", "a line is too long"),
    "endless": (CODE + "    return (self).forward(x, )\n", "takes too many steps"),
    "doubling": (
        CODE
        + "".join(f"    x{n + 1} = [x{n}, x{n}]\n".replace("x0", "x") for n in range(60))
        + "    return x60\n",
        "clear|not supported",
    ),
    "power": (CODE + "    return torch.mul(torch.pow(10, 10), x)\n", "pow|dense layer|not say"),
    "words": (CODE + "    these are words\n", "is not readable"),
    "nothing": ("", "has no code"),
    "indented": ("".join(" " * n + "if True:\n" for n in range(200)), "is not readable"),
}


@pytest.mark.parametrize("name", HOSTILE_CODE)
def test_hostile_code(tmp_path: Path, name: str) -> None:
    script = scripted(torch.nn.Linear(4, 2), 4, tmp_path / "s.pt", "script")
    with zipfile.ZipFile(script) as archive:
        member = next(
            found for found in archive.namelist() if found.endswith(".py") and "/linear" in found
        ).split("/", 1)[1]
    code, text = HOSTILE_CODE[name]
    assert re.search(
        text, refusal(write(tmp_path / "h.pt", repacked(script, {member: code.encode()})))
    )


def test_hostile_programs(tmp_path: Path) -> None:
    program = scripted(torch.nn.Linear(4, 2), 4, tmp_path / "e.pt2", "export")
    for data, text in (
        (b"[" * 100_000, "the program's JSON is damaged"),
        (b"{}", "not what torch.export writes"),
        (b"{not", "JSON is damaged"),
        (b"null", "not what torch"),
    ):
        assert text in refusal(
            write(tmp_path / "h.pt2", repacked(program, {"models/model.json": data}))
        )
    config = {
        "config": {
            name: {
                "path_name": "weight_0",
                "use_pickle": False,
                "is_param": True,
                "tensor_meta": {
                    "dtype": 7,
                    "sizes": [{"as_int": 2**20}, {"as_int": 2**20}],
                    "strides": [{"as_int": 0}, {"as_int": 0}],
                    "storage_offset": {"as_int": 0},
                    "layout": 7,
                },
            }
            for name in ("weight", "bias")
        }
    }
    changed = repacked(
        program, {"data/weights/model_weights_config.json": json.dumps(config).encode()}
    )
    assert re.search(
        r"weight weight: cannot be read \(ValueError: its shape \[1048576, 1048576\] is not"
        r" possible",
        refusal(write(tmp_path / "h.pt2", changed)),
    )
    old = zip_bytes({"serialized_exported_program.json": b"{}", "version": b"1"})
    assert "the layout of an older PyTorch" in refusal(write(tmp_path / "old.pt2", old))

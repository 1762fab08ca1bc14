"""The house keeps its limits; `python tests/support/house.py` says by how much and where not."""

from __future__ import annotations

import ast

import pytest

from tests.support import house, house_files, house_policies, house_words, import_graph

CODE = ("source", "tests")
HOUSES = tuple(house_files.HOUSES)

pytestmark = pytest.mark.skipif(
    not (house_files.ROOT / ".git").exists(), reason="not a git checkout: no list of tracked files"
)


def hold(name: str) -> None:
    """Fail with the worst offenders where a measure is over its limit."""
    assert house.measured(name).value <= house.LIMITS[name], house.account(name)


def test_no_line_is_longer_than_100_columns() -> None:
    hold("long lines")


@pytest.mark.parametrize("code", CODE)
def test_conditional_expressions_are_few(code: str) -> None:
    hold(f"conditionals per 1,000 lines, {code}")


@pytest.mark.parametrize("code", CODE)
def test_no_conditional_expression_holds_another(code: str) -> None:
    hold(f"nested conditionals, {code}")


@pytest.mark.parametrize("code", CODE)
def test_parallel_assignments_are_few(code: str) -> None:
    hold(f"parallel assignments per 1,000 lines, {code}")


@pytest.mark.parametrize("code", HOUSES)
def test_no_function_but_a_kernel_is_longer_than_60_lines(code: str) -> None:
    hold(f"long functions, {code}")


def test_few_functions_but_kernels_take_more_than_seven_parameters() -> None:
    hold("many parameters")


@pytest.mark.parametrize("code", HOUSES)
def test_no_file_is_longer_than_400_lines(code: str) -> None:
    hold(f"long files, {code}")


@pytest.mark.parametrize("code", CODE)
def test_a_file_name_stands_once(code: str) -> None:
    hold(f"shared file names, {code}")


def test_no_module_imports_itself_through_others() -> None:
    hold("modules in import circles")


def test_no_room_imports_itself_through_others() -> None:
    hold("rooms in import circles")


def test_only_the_readers_ask_for_a_policys_class() -> None:
    hold("policy class questions")


def test_only_schemes_codes_and_host_ask_what_was_trained_as_spiking() -> None:
    hold("trained-as-spiking questions")


def test_comments_docstrings_and_pages_speak_plain_english() -> None:
    hold("phrases in prose")


def test_messages_speak_plain_english() -> None:
    hold("phrases in messages")


def test_nothing_bears_a_coined_name() -> None:
    hold("coinages")


def test_every_limit_belongs_to_a_measure() -> None:
    assert set(house.LIMITS) <= set(house.MEASURES)


def graph(**files: str) -> import_graph.Graph:
    """The graph of files by path, with __ for a slash."""
    paths = {f"{name.replace('__', '/', 1)}.py": code for name, code in files.items()}
    return import_graph.read({path: ast.parse(code) for path, code in paths.items()})


@pytest.mark.parametrize(
    "code",
    [
        "from toolchain import b",
        "import toolchain.b",
        "import spikeport.toolchain.b as other",
        "from spikeport.toolchain.b import name",
        "from . import b",
        "from .b import name",
        "def late():\n    from toolchain.b import name",
        "if TYPE_CHECKING:\n    from toolchain.b import name",
        "importlib.import_module('toolchain.b')",
    ],
)
def test_a_circle_is_found_however_the_module_is_imported(code: str) -> None:
    found = graph(toolchain__a=code, toolchain__b="import toolchain.a")
    assert import_graph.knots(found) == [["toolchain/a.py", "toolchain/b.py"]]
    assert len(import_graph.shortest_circle(found, ["toolchain/a.py", "toolchain/b.py"])) == 2


def test_a_package_is_imported_where_it_is_named_and_by_its_modules_not() -> None:
    packages = {"toolchain/__init__.py": "import toolchain.a", "toolchain/b.py": ""}
    for code, circle in (("import toolchain.b", False), ("from toolchain import b", True)):
        trees = {**packages, "toolchain/a.py": code}
        found = import_graph.read({path: ast.parse(text) for path, text in trees.items()})
        assert bool(import_graph.knots(found)) is circle


def test_what_plugins_imports_by_name_is_no_edge() -> None:
    late = "importlib.import_module('toolchain.b')"
    found = graph(toolchain__plugins=late, toolchain__b="import toolchain.plugins")
    assert not import_graph.knots(found)


def test_rooms_are_in_a_circle_where_their_modules_are_not() -> None:
    found = graph(
        export__a="import toolchain.b",
        toolchain__b="",
        toolchain__c="import export.d",
        export__d="",
    )
    assert import_graph.knots(found) == []
    assert import_graph.knots(import_graph.rooms(found)) == [["export", "toolchain"]]


@pytest.mark.parametrize(
    ("code", "asks"),
    [
        ("layer.neuron == LIF", True),
        ("network.LEAKY != neuron", True),
        ("neuron in (LEAKY, LIF)", True),
        ("neuron == 'lif'", True),
        ("network.spike_coding is not None", True),
        ("spike_coding is None", True),
        ("network.coding == Coding.SPIKES", True),
        ("layer.dynamics is None", True),
        ("layer.leak is not None", True),
        ("leak is None", False),
        ("neuron in ('lif', 'clif')", False),
        ("layer.neuron == READOUT", False),
        ("neuron in BLOCKS", False),
    ],
)
def test_what_asks_whether_a_network_was_trained_as_spiking(code: str, asks: bool) -> None:
    question = ast.parse(code, mode="eval").body
    assert isinstance(question, ast.Compare)
    found = house_policies.asks_for_spiking(question.left, question.ops[0], question.comparators[0])
    assert found is asks


@pytest.mark.parametrize(
    "said",
    [
        "leave them away",
        "Leave --timesteps and\n    --alpha away",
        "leave {} away",
        "the command\nthat mends it",
        "for who converts",
        "would be called for in vain",
        "progress hears of it",
        "is no chain",
        "whom to judge",
    ],
)
def test_a_phrase_is_found_even_across_lines(said: str) -> None:
    assert house_words.phrases(iter([("file.py", 7, said)])).offenders[0].place == "file.py:7"


def test_a_sentence_that_only_resembles_a_phrase_is_not_found() -> None:
    said = "Leave it. It goes away; leaves far away"
    assert house_words.phrases(iter([("file.py", 7, said)])).value == 0

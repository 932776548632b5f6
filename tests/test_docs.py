"""README.md and docs/: what needs no cluster of machines runs, and prints what is shown.

Takes minutes: it trains, searches and encodes on the embedded sample as a newcomer would.
"""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from paths import ROOT

_spec = importlib.util.spec_from_file_location("outputs", ROOT / "docs" / "outputs.py")
assert _spec and _spec.loader
docs = sys.modules["outputs"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(docs)

PAGES = [page for page in docs.PAGES if (ROOT / page).is_file()]
BLOCKS = [block for page in PAGES for block in docs.read_blocks(page)]
# What starts Ray is tested where nothing else does at the same time.
ON_RAY = re.compile(r"siamese tune|--workers|distributed\.train")
SHARD = "siamese shard data/siamese/df_train.json --output /tmp/demo/data"


def marked(block):
    marks = [pytest.mark.cluster] if ON_RAY.search(block.code) else []
    return pytest.param(block, marks=marks, id=f"{block.page}:{block.line}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.mark.parametrize("block", [marked(block) for block in BLOCKS])
def test_a_page_shows_what_its_commands_print(block, demo) -> None:
    """In the order of the pages: the later ones use what the first one makes."""
    if ON_RAY.search(block.code) and not (demo / "data").exists():
        docs.run(docs.Block("README.md", 0, "bash", SHARD), demo)
    printed = docs.run(block, demo)
    if block.shown is not None:
        assert not (found := docs.difference(block.shown, printed)), found


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_of_a_page_is_there(page) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", text)
    for link in (one or other for one, other in links):
        if "://" not in link:
            assert ((ROOT / page).parent / link).exists(), link


def test_the_readme_has_at_most_200_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize(
    ("printed", "agrees"),
    [
        ("epoch 1  loss 2.2214  roc_auc 0.6442  700 groups/s, 1.9 s", True),
        ("epoch 1  loss 2.3903  roc_auc 0.7586  750 groups/s, 0.8 s", False),  # another run
        ("epoch 2  loss 2.2208  roc_auc 0.6442  750 groups/s, 0.8 s", False),  # a whole number
        ("epoch 1  loss 2.2208  accuracy 0.6442  750 groups/s, 0.8 s", False),  # a word
    ],
)
def test_outputs_agree_but_for_the_clock_and_the_last_digits(printed, agrees) -> None:
    shown = "epoch 1  loss 2.2208  roc_auc 0.6442  750 groups/s, 0.8 s"
    assert (docs.difference(shown, printed) == "") is agrees

"""What a node tells of its storage, asked in this process."""

from pathlib import Path

from distributed.cluster import node_checks


def test_a_run_folder_at_a_uri_is_written_to_and_left_clean() -> None:
    assert node_checks.check_run_uri("memory://preflight/run") == []
    filesystem = node_checks.filesystem_of("memory://preflight")[0]
    assert filesystem.find("/preflight") == []


def test_a_node_tells_what_it_cannot_see(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    gone = str(tmp_path / "gone")
    seen = node_checks.look("node", [str(tmp_path), gone], str(marker))
    assert (seen["unread"], seen["shared"]) == ([gone], False)
    assert list(tmp_path.iterdir()) == []  # without the marker it writes nothing
    marker.touch()
    assert node_checks.look("node", [], str(marker))["shared"]
    assert node_checks._answer(str(marker), "node").exists()

"""What cannot be served is refused in a sentence, before anything is started."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from calibrated_encoder import calibrated_encoder

from distributed.cli.main import main
from distributed.serving import serve
from siamese.search.index import Index


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A model with an index, an index of another model, and a port in use."""
    folder = tmp_path_factory.mktemp("made")
    calibrated_encoder(1).save(folder / "model")
    Index.build(["怎么修改密码"], str(folder / "model"), folder / "index")
    Index.build(["怎么修改密码"], calibrated_encoder(2), folder / "other-index")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def siamese(monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Run the command line, which may not get as far as Ray; the exit code and stderr."""
    monkeypatch.setattr(serve, "_replicas", lambda *_: pytest.fail("something was started"))
    monkeypatch.delenv("SIAMESE_TOKEN", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["siamese", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["none"], ["none", "no such folder"]),
        (["empty"], ["empty", "not a model folder"]),
        (["model", "--index", "none"], ["none"]),
        (["model", "--index", "empty"], ["empty", "no such index"]),
        (["model", "--index", "model"], ["model", "not of an index"]),
        (["model", "--index", "other-index"], ["other-index", "another model"]),
        (["model", "--host", "no.such.host.invalid"], ["no.such.host.invalid"]),
        (["model", "--host", "192.0.2.77"], ["192.0.2.77"]),
        (["model", "--token", ""], ["--token"]),
        (["model", "--token", "a\nb"], ["--token"]),
        (["model", "--token", "密码"], ["--token"]),
        (["model", "--replicas", "0"], ["--replicas 0", "1:4"]),
        (["model", "--replicas", "3:2"], ["--replicas 3:2"]),
        (["model", "--replicas", "many"], ["--replicas many"]),
    ],
)
def test_a_mistake_is_said_in_a_sentence(made, siamese, monkeypatch, options, says) -> None:
    monkeypatch.chdir(made)
    code, error = siamese("serve", *options, "--port", "0")
    assert code == 2
    assert error.startswith("error: ")
    assert all(part in error for part in says), error
    assert "Traceback" not in error


def test_a_port_in_use_is_refused(made, siamese) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, error = siamese("serve", str(made / "model"), "--port", port)
    assert code == 2
    assert port in error
    assert "--port" in error


@pytest.mark.parametrize("option", [["--port", "70000"], ["--port", "x"], ["--queue", "0"]])
def test_a_wrong_number_is_refused(made, siamese, option) -> None:
    code, error = siamese("serve", str(made / "model"), *option)
    assert code == 2
    assert option[0] in error


def test_a_missing_package_is_named_with_its_command(made, siamese, monkeypatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == "uvicorn" else name)
    code, error = siamese("serve", str(made / "model"), "--port", "0")
    assert code == 2
    assert "uvicorn" in error
    assert "pip install 'siamese-ray[serve]'" in error


@pytest.mark.parametrize(
    ("host", "token", "warns"),
    [
        ("127.0.0.1", None, False),
        ("localhost", None, False),
        ("::1", None, False),
        ("0.0.0.0", None, True),
        ("0.0.0.0", "secret", False),
    ],
)
def test_whoever_opens_the_door_to_all_is_warned(capsys, host, token, warns) -> None:
    serve._warn_of_strangers(serve.Door(host, token=token))
    assert ("--token" in capsys.readouterr().err) is warns

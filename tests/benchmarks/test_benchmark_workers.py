"""The workers: this environment stands in for a peer's."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import _environments
import _mask_update
import _nets
from _harness import Session
from _workers import Worker, WorkerError
from trimtab.zoo import cnn, resnet


def test_a_worker_trains_when_asked_and_says_what_it_is() -> None:
    with Worker(cores=1) as worker:
        assert worker.versions()["keras"]
        worker.build("plain", "keras", "cnn", batch=4, scale=0.1)
        worker.build("ours", "trimtab", "cnn_bn", batch=4, scale=0.1, steps=2)
        plain, ours = worker.side("plain", 2), worker.side("ours", 2)
        assert all(0 < side() < 60 for side in (plain, ours, plain, ours))
        with pytest.raises(WorkerError, match="built for 2 steps"):
            worker.side("ours", 3)()
        with pytest.raises(WorkerError, match="no-such-side"):
            worker.build("odd", "no-such-side", "cnn")
        assert plain() > 0  # it lives on after a failure


def test_a_worker_chooses_masks() -> None:
    with Worker(cores=1, first_core=1) as worker:
        for granularity, ranking in (("unstructured", "global"), ("2:4", "layer")):
            worker.build(ranking, "masks", "resnet50", granularity=granularity, ranking=ranking, scale=0.02)
            assert 0 < worker.side(ranking, 2)() < 60


def test_the_kernels_to_mask_are_25_million_weights() -> None:
    for name, shapes in _mask_update.KERNELS.items():
        assert sum(math.prod(shape) for shape in shapes) == pytest.approx(25e6, rel=0.03), name
    assert sum(math.prod(shape) for shape in _mask_update.KERNELS["resnet50"]) == 25_502_912
    assert [array.shape for array in _mask_update.kernels("one", 0.1)] == [(500, 500)]


def test_a_worker_that_ends_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho the last words >&2\nexit 3\n")
    broken.chmod(0o755)
    with Worker(broken, cores=1) as worker, pytest.raises(WorkerError, match="the last words"):
        worker.versions()


@pytest.mark.parametrize(
    ("net", "build"),
    [
        ("cnn", cnn),
        ("cnn_bn", lambda shape, classes: cnn(shape, classes, batch_norm=True)),
        ("resnet8", resnet),
    ],
)
def test_the_nets_are_those_of_the_library(net: str, build: object) -> None:
    import keras

    assert callable(build)
    ours = build(_nets.NETS[net][1], _nets.CLASSES)
    timed = _nets.build(keras, net)
    assert [weight.shape for weight in timed.weights] == [weight.shape for weight in ours.weights]
    kinds = [type(layer).__name__ for layer in ours.layers]
    assert sorted(kinds) == sorted(type(layer).__name__ for layer in timed.layers)


def test_a_peer_that_cannot_be_made_is_left_out_of_a_quick_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, requirements: tuple[str, ...], parent: Path) -> Path:
        raise _environments.PeerError("Nothing can be downloaded.")

    monkeypatch.setattr(_environments, "make_environment", refuse)
    quick = Session("startup", "Title", "Question?", argv=["--quick"])
    assert _environments.peer_python(quick, "tf-keras") is None
    assert quick.notes == ["Without the peer tf-keras: Nothing can be downloaded."]
    with pytest.raises(SystemExit, match="--no-peers"):
        _environments.peer_python(Session("startup", "Title", "Question?", argv=[]), "tf-keras")


def test_peers_are_not_made_when_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_environments, "make_environment", lambda *_: pytest.fail("made"))
    session = Session("startup", "Title", "Question?", argv=["--no-peers"])
    assert _environments.peer_python(session, "tf-keras") is None


def test_an_environment_is_made_once_and_anew_when_its_versions_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def call(command: list[str], name: str) -> None:
        calls.append(command)
        if "venv" in command:
            python = tmp_path / name / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(_environments, "_call", call)
    python = _environments.make_environment("peer", ("a==1",), tmp_path)
    assert python == tmp_path / "peer" / "bin" / "python"
    assert len(calls) == 2
    assert calls[1][-1] == "a==1"
    _environments.make_environment("peer", ("a==1",), tmp_path)
    assert len(calls) == 2
    _environments.make_environment("peer", ("a==2",), tmp_path)
    assert len(calls) == 4


def test_an_environment_that_fails_names_the_reason() -> None:
    with pytest.raises(_environments.PeerError, match="no such file or directory"):
        _environments._call(["sh", "-c", "echo 'no such file or directory' >&2; exit 1"], "peer")


def test_versions_are_pinned_and_no_address_is_given() -> None:
    for requirements in _environments.PEERS.values():
        assert all("==" in text and "://" not in text for text in requirements)

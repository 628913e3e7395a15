from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint import hub


def refusal(kind: type[Exception]) -> Exception:
    # The hub's HTTP library has changed its name between versions; this is what is read of it.
    response = SimpleNamespace(headers={}, request=None)
    return kind("no", response=response)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (refusal(GatedRepoError), "consent"),
        (refusal(RevisionNotFoundError), "has no revision 'v9'"),
        (refusal(RepositoryNotFoundError), "neither a folder here nor a repository"),
        (HFValidationError("bad id"), "neither a folder nor a hub id"),
        (LocalEntryNotFoundError("no"), "cannot be reached"),
        (OfflineModeIsEnabled("no"), "cannot be reached"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_each_failure_of_the_hub_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: Exception, finding: str
) -> None:
    def fail(*_args: object, **_kwargs: object) -> str:
        raise error

    monkeypatch.setattr(hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match=finding):
        hub.fetch_snapshot("team/model", revision="v9")


def test_offline_mode_is_named_when_it_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> str:
        raise LocalEntryNotFoundError("no")

    monkeypatch.setattr(hub, "snapshot_download", fail)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set") as caught:
        hub.fetch_snapshot("team/model", revision=None)
    assert "unset HF_HUB_OFFLINE" in str(caught.value)


@pytest.mark.parametrize("with_code", [False, True])
def test_pickles_are_never_asked_for_and_code_only_where_trusted(
    monkeypatch: pytest.MonkeyPatch, *, with_code: bool
) -> None:
    asked: dict[str, list[str]] = {}

    def download(_repo: str, **kwargs: object) -> str:
        asked.update({k: v for k, v in kwargs.items() if isinstance(v, list)})
        return "/cache/snapshots/abc"

    monkeypatch.setattr(hub, "snapshot_download", download)
    found = hub.fetch_snapshot("team/model", revision=None, with_code=with_code)
    assert found == Path("/cache/snapshots/abc")

    def is_fetched(name: str) -> bool:
        allowed = any(fnmatch(name, pattern) for pattern in asked["allow_patterns"])
        return allowed and not any(fnmatch(name, p) for p in asked["ignore_patterns"])

    wanted = ["config.json", "model-00001-of-2.safetensors", "tokenizer.model", "merges.txt"]
    assert all(map(is_fetched, [*wanted, "chat_template.jinja"]))
    refused = [
        "pytorch_model.bin",
        "x.pt",
        "x.pth",
        "x.ckpt",
        "x.pkl",
        "original/model.safetensors",
    ]
    assert not any(map(is_fetched, refused))
    assert is_fetched("modeling_x.py") == with_code

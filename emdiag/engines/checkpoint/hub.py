"""Fetches checkpoints from the Hugging Face hub: weights as safetensors, never pickles."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from emdiag.core.errors import CheckpointError

PATTERNS = [
    "*.json",
    "*.safetensors",
    "*.model",
    "*.tiktoken",
    "merges.txt",
    "vocab.txt",
    "*.jinja",
]
_IGNORED = ["*/*", "consolidated*", "*.bin.index.json"]


def fetch_snapshot(repo: str, *, revision: str | None, with_code: bool = False) -> Path:
    """Folder of the repository at that revision, downloaded or from the hub cache.

    `HF_HUB_OFFLINE`, `HF_HOME` and `HF_TOKEN` work as in every program that uses the hub.

    Raises:
        CheckpointError: There is no such repository or revision, it asks for consent, or the
            hub cannot be reached and the cache does not hold it.
    """
    try:
        folder = snapshot_download(
            repo,
            revision=revision,
            allow_patterns=[*PATTERNS, *(["*.py"] if with_code else [])],
            ignore_patterns=_IGNORED,
        )
    except GatedRepoError as error:
        raise CheckpointError(
            f"{repo} is gated: its owner wants consent first",
            hint=f"accept the terms at https://huggingface.co/{repo}, then `hf auth login`",
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(
            f"{repo} has no revision {revision!r}", hint="name a branch, a tag or a commit"
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{repo!r} is neither a folder here nor a repository on the hub",
            folder=Path(repo).absolute(),
            hint="check the spelling; a private repository needs `hf auth login`",
        ) from error
    except HFValidationError as error:
        raise CheckpointError(f"{repo!r} is neither a folder nor a hub id: {error}") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        offline = constants.HF_HUB_OFFLINE
        raise CheckpointError(
            f"{repo}{'@' + revision if revision else ''} is neither a folder nor in the hub cache, "
            f"and {'HF_HUB_OFFLINE is set' if offline else 'the hub cannot be reached'}",
            cache=constants.HF_HUB_CACHE,
            hint="unset HF_HUB_OFFLINE to download it, or give a folder"
            if offline
            else "check the network, or give a folder that holds the checkpoint",
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise CheckpointError(
            f"{repo} cannot be fetched: {error}",
            hint="run the command again: what is complete is not fetched twice",
        ) from error
    return Path(folder)

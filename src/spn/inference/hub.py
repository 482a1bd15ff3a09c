"""Weights on the Hugging Face hub: `hf://owner/name`, or `hf://owner/name@revision`."""

import re
from pathlib import Path

from spn.core.errors import CheckpointError

_ADDRESS = re.compile(r"hf:/{1,2}([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")  # a Path has lost the second slash


def hub_address(source: str | Path) -> tuple[str, str | None] | None:
    """Repository and revision that `source` names; None if it is no address of the hub.

    >>> hub_address("hf://me/streets@v2")
    ('me/streets', 'v2')

    Raises CheckpointError for an address that names no repository, or another kind of address.
    """
    text = str(source)
    if found := _ADDRESS.fullmatch(text):
        return found[1], found[2]
    if re.match(r"(hf|https?):(/|$)", text):
        address = re.sub(r":/*", "://", text, count=1)
        raise CheckpointError(
            f"{address}: wanted hf://owner/name or hf://owner/name@revision for weights on the Hugging Face "
            "hub, or the path of a file on this machine"
        )
    return None


def fetch(repository: str, revision: str | None, *, name: str) -> Path:
    """The file `name` of a repository, from the hub or from its cache on this machine.

    Raises CheckpointError if neither has it.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    address = f"hf://{repository}{f'@{revision}' if revision else ''}"
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except RevisionNotFoundError as error:
        raise CheckpointError(f"{address}: the repository has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{address}: the hub has no such repository, or does not show it to you; if it is private, log "
            "in with: hf auth login"
        ) from error
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{address}: the hub cannot be reached, and this machine has no copy; check the connection, or "
            "name a file"
        ) from error
    except EntryNotFoundError as error:
        raise CheckpointError(
            f"{address}: holds no {name}; wanted what spn release --out FOLDER writes"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise CheckpointError(f"{address}: {' '.join(str(error).split())[:300]}") from error

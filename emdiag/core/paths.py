"""Paths as a user types them."""

from __future__ import annotations

import os
from pathlib import Path

from emdiag.core.errors import PlanError


def expanded(path: str | Path) -> Path:
    """With the home of a user in place of `~` or `~user`, unless it is a name here of no user.

    Raises:
        PlanError: There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        if exists(str(path)):  # ./~name, of which Path makes ~name
            return Path(path)
        user = Path(path).parts[0]
        raise PlanError(
            f"there is no home of a user {user.removeprefix('~')!r}" if user != "~"
            else "the home folder of this user is not known",
            path=path,
            hint="write the whole path",
        ) from error  # fmt: skip


def exists(path: str) -> bool:
    """Whether something has this name; nothing has one that is too long, or no name at all."""
    return os.path.exists(path)  # noqa: PTH110 - that of Path raises where a name is too long


def page_path(path: str | Path) -> Path:
    """Where a page is written.

    Raises:
        PlanError: The name is not that of a page: a .pdf that holds HTML is opened by nothing.
    """
    page = Path(path)
    if page.suffix.lower() not in {".html", ".htm"}:
        raise PlanError(
            "a page is written as HTML",
            file=page,
            expected="a name that ends in .html or .htm",
            found=page.suffix or "no ending",
            hint=f"{page.with_suffix('.html').name or 'page.html'}; a browser prints it as PDF"
            if page.name else "name a file, such as page.html",
        )  # fmt: skip
    return page

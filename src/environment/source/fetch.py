"""Fetches the source archive of a package with pip's index settings, running none of it.

Arguments: name, specifiers of the version, SHA-256 of the archive or nothing, folder for the archive, most bytes of
it. The variable `NBC_INDEXES`, if it is there, holds indexes that stand in for pip's own, one a line, the first that
has the package decides. What was fetched is described by `fetched.json` in the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

from pip._internal.commands import create_command
from pip._vendor.packaging.specifiers import SpecifierSet

NAME, SPECIFIERS, DIGEST, FOLDER, LARGEST = sys.argv[1:]
INDEXES = os.environ.pop("NBC_INDEXES", None)
SUFFIXES = (".tar.gz", ".zip")


def digest(link: Any) -> str | None:
    hashes = getattr(link, "_hashes", None) or {link.hash_name: link.hash}
    found: str | None = hashes.get("sha256")
    return found


def chosen(finder: Any) -> tuple[Any, bool]:
    found = [it for it in finder.find_all_candidates(NAME) if it.link.filename.endswith(SUFFIXES)]
    if DIGEST:
        return next((it for it in found if digest(it.link) == DIGEST), None), bool(found)
    allowed = set(SpecifierSet(SPECIFIERS).filter(it.version for it in found))
    fit = [it for it in found if it.version in allowed and not it.link.is_yanked]
    return max(fit, key=lambda it: it.version, default=None), bool(found)


def download(session: Any, link: Any) -> str:
    name: str = "source" + next(it for it in SUFFIXES if link.filename.endswith(it))
    sha256, total = hashlib.sha256(), 0
    address = link.url.split("#")[0]
    with session.get(address, headers={"Accept-Encoding": "identity"}, stream=True) as answer:
        answer.raise_for_status()
        with open(os.path.join(FOLDER, name), "xb") as file:
            for part in answer.iter_content(1 << 16):
                total += len(part)
                if total > int(LARGEST):
                    sys.exit("the archive is too large")
                sha256.update(part)
                file.write(part)
    if sha256.hexdigest() != digest(link):
        sys.exit(f"the archive has another hash than the index tells: {sha256.hexdigest()}")
    return name


def try_index(index: str | None) -> dict[str, str | None] | None:
    command = create_command("download")
    options, _ = command.parse_args(["--no-binary", NAME, "--no-input", "--disable-pip-version-check"])
    if index:
        options.index_url, options.extra_index_urls = index, []
        options.find_links, options.no_index = [], False
    with command.main_context():
        session = command.get_default_session(options)
        candidate, is_known = chosen(command._build_package_finder(options, session))
        if candidate:
            if digest(candidate.link) is None:
                sys.exit("the index tells no SHA-256 of its source archive")
            file = download(session, candidate.link)
            return {
                "version": str(candidate.version),
                "url": candidate.link.url.split("#")[0],
                "sha256": digest(candidate.link),
                "file": file,
            }
    if is_known:
        sys.exit(
            "no source archive that the index has is the one asked for"
            if DIGEST
            else f"no source archive that the index has fits `{SPECIFIERS}`"
        )
    return None


for index in INDEXES.splitlines() if INDEXES else [None]:
    fetched = try_index(index)
    if fetched:
        with open(os.path.join(FOLDER, "fetched.json"), "x") as file:
            json.dump(fetched, file)
        sys.exit()
sys.exit("no index has a source archive of it")

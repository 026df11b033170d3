"""pip, which takes wheels and nothing else: the arguments are those of pip.

`--only-binary` is about what indexes offer. A requirement with an address, in a notebook or in the metadata of
a wheel, is fetched whatever it is, and a source would be built, which runs its code.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from pip._internal.cli.main import main
from pip._internal.exceptions import InstallationError
from pip._internal.operations.prepare import RequirementPreparer

prepare = RequirementPreparer.prepare_linked_requirement


def refuse(self: Any, req: Any, *_: Any, **__: Any) -> NoReturn:
    raise InstallationError(f"{req.name} is no wheel: nbc runs no code of a package to install it")


def prepare_wheel(self: Any, req: Any, *arguments: Any, **named: Any) -> Any:
    if req.editable or req.link.is_vcs or not req.link.is_wheel:
        refuse(self, req)
    return prepare(self, req, *arguments, **named)


# A pip that has it no more ends here: better none than one that builds.
_ = RequirementPreparer.prepare_editable_requirement
RequirementPreparer.prepare_linked_requirement = prepare_wheel
RequirementPreparer.prepare_editable_requirement = refuse
sys.exit(main(sys.argv[1:]))

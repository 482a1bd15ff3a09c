"""How the classes of one label space make up those of another: TOML files that name every class of both.

    from = "cityscapes19"               # the finer classes, the model's or the dataset's
    to = "camvid11"                     # the coarser ones
    ignored = []                        # finer classes that are in none

    [classes]                           # coarser class = the finer ones in it
    road = "road"
    tree = ["vegetation", "terrain"]

The files in `mappings` come with the package.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from spn.core.classes import LabelSpace
from spn.core.errors import DatasetError, UserError
from spn.core.files import digest_of, read_text

_SHIPPED: Final = Path(__file__).with_name("mappings")


class _File(msgspec.Struct, forbid_unknown_fields=True, rename={"fine": "from", "coarse": "to"}):
    fine: str
    coarse: str
    classes: dict[str, str | tuple[str, ...]]
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassMapping:
    """One file. fine, coarse: keys of label spaces. classes: each coarse class and the fine ones in it.
    ignored: fine classes in no coarse one. path: for messages."""

    fine: str
    coarse: str
    classes: tuple[tuple[str, tuple[str, ...]], ...]
    ignored: tuple[str, ...]
    path: str = field(compare=False)

    @property
    def identity(self) -> str:
        """What results say of it; nothing of one that comes with the package."""
        facts = repr((self.classes, self.ignored)).encode()
        return "" if self in shipped() else f"{Path(self.path).stem} {digest_of(facts, size=6)}"

    def groups(self, fine: LabelSpace, coarse: LabelSpace) -> tuple[tuple[int, ...], ...]:
        """The indices of the fine classes in each coarse one. Raises DatasetError if a class is not named."""
        members = dict(self.classes)
        for space, named in (coarse, [*members]), (fine, [*chain(*members.values()), *self.ignored]):
            if wrong := space.misnamed(named):
                raise DatasetError(
                    f"{self.path} does not fit {space.key}: it {wrong}; wanted each of its "
                    f"classes once ({', '.join(space.names)}), finer ones that are in no coarser one as "
                    "ignored = [...]"
                )
        return tuple(tuple(fine.names.index(name) for name in members[of]) for of in coarse.names)


def read_mapping(path: Path) -> ClassMapping:
    """Raises DatasetError that names the file."""
    try:
        file = msgspec.toml.decode(read_text(path), type=_File)
    except (OSError, ValueError, UserError) as error:
        raise DatasetError(f"{path} cannot be used as a mapping of classes: {error}") from error
    classes = tuple((of, (m,) if isinstance(m, str) else m) for of, m in file.classes.items())
    counts = Counter([*chain(*(members for _, members in classes)), *file.ignored])
    if twice := ", ".join(name for name, count in counts.items() if count > 1):
        raise DatasetError(f"{path} names {twice} more than once; wanted each finer class in one place")
    return ClassMapping(file.fine, file.coarse, classes, file.ignored, str(path))


@cache
def shipped() -> tuple[ClassMapping, ...]:
    """Those that come with the package."""
    return tuple(map(read_mapping, sorted(_SHIPPED.glob("*.toml"))))

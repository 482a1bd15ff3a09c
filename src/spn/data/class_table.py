"""The table [classes] of a dataset's TOML: which stored id is which class, of published ones or of one's own.

unlisted = "ignore"     # ids that are not in the table are not evaluated; by default they are an error
label_space = "own"     # by default Cityscapes' if it has every class of the table, else one's own
things = ["car"]        # which of one's own classes are countable objects

[classes]               # stored id = class; several may be one class
7 = "road"
255 = "ignore"
"*" = "other"           # every id that is not in the table

[colours]               # of one's own classes; those without get one
road = "#804080"
"""

import itertools
import re
from collections.abc import Collection, Mapping
from typing import Final, Literal

import msgspec

from spn.core.classes import CITYSCAPES_19, IGNORE, LABEL_SPACES, Colour, LabelSpace, own_space
from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.data.files import LabelEncoding

IGNORED: Final = "ignore"
OWN: Final = "own"
REST: Final = "*"


def known_entry(entry: str, value: str, known: Collection[str]) -> str:
    """`value`, if it is one of those. Raises DatasetError."""
    if value not in known:
        raise DatasetError(f"{entry} {value!r} is unknown; wanted one of {', '.join(known)}")
    return value


class ClassTable(msgspec.Struct):
    """The entries of a TOML that say what its classes are."""

    classes: dict[str, str] = {}
    colours: dict[str, str] = {}
    things: tuple[str, ...] = ()
    unlisted: Literal["error", "ignore"] = "error"
    label_space: str = ""

    def read(self, name: str) -> tuple[LabelEncoding | None, LabelSpace, LabelMap]:
        """How labels are stored, if that is as colours; the classes, and the ids of each.

        name: the dataset's. Raises DatasetError.
        """
        encoding, rest = None, self.classes.get(REST)
        listed = {stored: of for stored, of in self.classes.items() if stored != REST}
        wrong = [stored for stored in listed if not re.fullmatch(r"\d{1,3}", stored) or int(stored) > 255]
        if all(map(_rgb, listed)) and rest is None:
            coded = tuple((int(stored[1:], 16), number) for number, stored in enumerate(listed))
            encoding = LabelEncoding(f"colours {coded}", index=False, colours=coded)
            ids = dict(enumerate(listed.values()))
        elif wrong:
            raise DatasetError(
                f"[classes] id {wrong[0]!r} is not a number in 0..255, nor {REST} (or all are colours as "
                "#804080)"
            )
        else:
            ids = {int(stored): of for stored, of in listed.items()}
        if rest or self.unlisted == IGNORED:
            ids = dict.fromkeys(range(256), rest or IGNORED) | ids
        space = self._space(name, ids)
        for of in self.classes.values():
            known_entry(f"[classes] {space.key} class", of, (*space.names, IGNORED))
        train_ids = {label: space.names.index(of) for label, of in ids.items() if of != IGNORED}
        label_map = LabelMap(f"{name} [classes]", train_ids, frozenset(ids), "the ids in [classes]")
        return encoding, space, label_map

    def _space(self, name: str, ids: Mapping[int, str]) -> LabelSpace:
        """The published one that is named, or else has all classes; else the classes are one's own."""
        names = [of for of in dict.fromkeys(self.classes.values()) if of != IGNORED]
        key = self.label_space or (CITYSCAPES_19.key if set(names) <= set(CITYSCAPES_19.names) else OWN)
        if known_entry("label_space", key, (*LABEL_SPACES, OWN)) != OWN:
            if self.colours or self.things:
                raise DatasetError(f'colours and things are for classes of one\'s own: label_space = "{OWN}"')
            return LABEL_SPACES[key]
        if name in LABEL_SPACES:
            raise DatasetError(f"the name {name!r} is that of published classes; choose another name")
        if not 2 <= len(names) <= IGNORE or not all(of.strip() and of.isprintable() for of in names):
            raise DatasetError(
                f"[classes] names {len(names)} classes ({', '.join(map(repr, names[:8]))}); wanted 2 to "
                f'{IGNORE} printable names. For one class and the rest, write {REST!r} = "other"'
            )
        for one, other in itertools.combinations((*names, IGNORED), 2):
            if "".join(one.split()).casefold() == "".join(other.split()).casefold():
                raise DatasetError(
                    f"[classes] {one!r} and {other!r} differ in spaces or capitals alone; write a name one "
                    f"way, and {IGNORED!r} for what is not evaluated"
                )
        for entry, listed in (("[colours]", self.colours), ("things", self.things)):
            for of in listed:
                known_entry(f"{entry} class", of, names)
        if wrong := [text for text in self.colours.values() if not _rgb(text)]:
            raise DatasetError(f"[colours] {wrong[0]!r} is not a colour such as #804080")
        stored = {of: text for text, of in reversed(self.classes.items()) if _rgb(text)}
        colours = {of: rgb for of, text in (stored | self.colours).items() if (rgb := _rgb(text))}
        if len(set(colours.values())) < len(colours):
            raise DatasetError("two classes have the same colour; give each its own in [colours]")
        first = {of: label for label, of in sorted(ids.items(), reverse=True)}
        label_ids = [] if stored else [first[of] for of in names]
        return own_space(name, names, colours=colours, label_ids=label_ids, things=self.things)


def _rgb(text: str) -> Colour | None:
    """The colour that #RRGGBB means; None for anything else."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue

"""What is written as TOML reads back as it was."""

from __future__ import annotations

import tomllib

import pytest

from spn.core.files import to_toml


def test_values_read_back_as_they_were() -> None:
    table = {
        "flag": True,
        "inner": {"deep": {"numbers": [1, 2.5, 1e-6], "empty": []}, "text": 'a "quoted" \\ path é\n'},
        "count": 3,
        "rate": 6e-05,
    }
    assert tomllib.loads(to_toml(table)) == table


def test_none_is_a_comment_and_comments_name_fields_by_their_path() -> None:
    text = to_toml(
        {"cache": None, "model": {"width": 8, "groups": 2}}, comments={"model.width": "default: 16"}
    )
    assert "# cache is not set" in text
    assert "width = 8  # default: 16\ngroups = 2\n" in text
    assert tomllib.loads(text) == {"model": {"width": 8, "groups": 2}}


def test_what_toml_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot write"):
        to_toml({"list": [None]})

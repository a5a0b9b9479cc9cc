"""The text of a file of the user's, or the reason why there is none.

Knows files and encodings; knows nothing of what the text means.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path

from mlpin.errors import InputError
from mlpin.manifest.model import Context

LIMIT = 32 * 2**20
"""No manifest is larger than this; what is, is another kind of file."""

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),  # before UTF-16, whose mark it begins with
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_USER = re.compile(r"(?P<scheme>[A-Za-z0-9+.-]{0,16}://)(?P<user>[^/\s?#'\"]*)@")
_SECRET_QUERY = re.compile(
    r"(?i)(?<=[?&])((?:[\w-]*token|[\w-]*key|[\w-]*secret|password|sig|[\w-]*signature|[\w-]*credential)=)[^&\s#'\"]+"
)
_VARIABLES = re.compile(r"(\$\{[A-Z0-9_]+\}|[:])*")


def redacted(text: str) -> str:
    """`text` with the credentials of every URL in it replaced by `****`.

    What only names a variable (`https://${TOKEN}@host`), and the user of an SSH URL, is no credential.
    """

    def user(match: re.Match[str]) -> str:
        name = match["user"]
        if not name or _VARIABLES.fullmatch(name) or ("ssh" in match["scheme"].lower() and ":" not in name):
            return match[0]
        return f"{match['scheme']}****@"

    if "://" not in text:
        return text
    return _SECRET_QUERY.sub(r"\1****", _USER.sub(user, text))


def bytes_of(path: Path, context: Context) -> bytes:
    """The content of the file at `path`; `InputError` where it cannot be read."""
    shown = context.shown(path)
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except IsADirectoryError:
        raise InputError("this is a directory, where a file was expected", where=shown) from None
    except FileNotFoundError:
        raise InputError("there is no such file", where=shown) from None
    except PermissionError:
        if path.is_dir():  # what Windows says of a directory
            raise InputError("this is a directory, where a file was expected", where=shown) from None
        raise InputError("you have no permission to read this file", where=shown) from None
    except OSError as error:
        reason = error.strerror or errno.errorcode.get(error.errno or 0, "unknown reason")
        raise InputError(f"cannot be read: {reason}", where=shown) from None
    except ValueError:
        raise InputError("this cannot be the name of a file", where=shown) from None
    if len(data) > LIMIT:
        raise InputError(f"is larger than {LIMIT // 2**20} MiB, so it is no manifest", where=shown)
    return data


def text_of(path: Path, context: Context) -> str:
    """The text of a UTF-8 file, without a byte order mark, its lines ended as on Unix."""
    return decoded(bytes_of(path, context), context.shown(path)).replace("\r\n", "\n")


def decoded(data: bytes, shown: str, *, declared_coding: bool = False) -> str:
    """`data` as text: UTF-8, or what a byte order mark says; `InputError` where it is neither.

    With `declared_coding`, a comment as PEP 263 has it may name the encoding (requirements files).
    """
    encoding = "utf-8"
    for mark, name in _BOMS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    else:
        for line in data.split(b"\n")[:2] if declared_coding else ():
            found = _CODING.search(line) if line.startswith(b"#") else None
            if found:
                encoding = found[1].decode("ascii")
                break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        place = f"{shown}:{number}" if encoding == "utf-8" else shown
        hint = "save the file as UTF-8"
        if declared_coding:
            hint += ", or say what it is in the first line: # -*- coding: NAME -*-"
        raise InputError(f"is not text in {encoding.upper()}", where=place, hint=hint) from None
    except (LookupError, ValueError):
        raise InputError(f"`{encoding}` is not an encoding that Python knows", where=f"{shown}:1") from None
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise InputError("holds a NUL character, so it is not text", where=f"{shown}:{number}")
    return text

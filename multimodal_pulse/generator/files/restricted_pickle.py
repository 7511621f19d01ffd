"""A reader of pickles that cannot run any code from the file.

A pickle is a program for a small stack machine. Python's own machine imports the names in it, calls them, and sets
attributes of the results. The machine here has only the instructions that files of tensors need. A name is looked up in
a table of exact (module, name) pairs and stands for the entry of this program; the entry gets the arguments of a call
as plain data; the state of an object is dropped. The machine can do nothing else, and its cost is limited.
"""

import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_OPCODES = 500_000
"""The most instructions of one file with its nested pickles; the largest official checkpoint has about a tenth."""

MAX_TEXT = 16 * 2**20
"""The most bytes of text in one file (four times as many in memory); official ones have 0.1 MB of source code."""

MAX_NAME = 256
"""The most characters of one line of text, which holds the name of a module."""

Builder = Callable[[tuple], Any]
"""The call of an allowed name: it makes plain data from the file's arguments, or raises RefusedError."""

NO_PICKLE = "it is neither a pickle nor any other kind of generator file that this program knows"
"""The message for damage in a file that does not begin with a protocol, as all pickles of today do."""

_OPCODE_NAMES = {opcode.code: opcode.name for opcode in pickletools.opcodes}


class RefusedError(ValueError):
    """The content of a file cannot be used; the message has the reason, and the caller adds the file's name."""


@dataclass
class Allowance:
    """The remaining cost allowed for reading one file."""

    opcodes: int = MAX_OPCODES
    text: int = MAX_TEXT

    def spend_opcode(self) -> None:
        self.opcodes -= 1
        if self.opcodes < 0:
            raise RefusedError(f"its pickle has more than {MAX_OPCODES} instructions")

    def spend_text(self, size: int) -> None:
        self.text -= size
        if self.text < 0:
            raise RefusedError(f"its pickle has more than {MAX_TEXT} bytes of text")


@dataclass(frozen=True)
class Name:
    """An allowed name in a pickle and its meaning; the meaning is a builder if the name may be called."""

    name: str
    meaning: Any


@dataclass(frozen=True)
class Opaque:
    """Replaces an object that is not kept; at most its `kind` is."""

    kind: str | None = None


def refuse_persistent(identifier: Any) -> NoReturn:
    """Refuses persistent identifiers, which only PyTorch's own files need."""
    raise RefusedError("its pickle refers to persistent objects, as no such checkpoint does")


def ignored(arguments: tuple) -> Any:
    """Builds a placeholder for objects that are not needed, such as hooks and arrays."""
    return Opaque()


def empty_dict(arguments: tuple) -> dict:
    """Builds a dict for types that are made empty and filled by later instructions."""
    if arguments:
        raise RefusedError("its pickle makes a dict from arguments, as no such checkpoint does")
    return {}


def printable(text: str) -> str:
    """Shortens text from a file to one line without control characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def read_pickle(
    data: memoryview,
    start: int,
    names: Mapping[tuple[str, str], Any],
    allowance: Allowance,
    persistent: Callable[[Any], Any] = refuse_persistent,
) -> tuple[Any, int]:
    """Returns the value of the pickle that begins at `start`, and the position after its end.

    Byte strings become views of `data`, so they need no memory.

    Args:
        data: the bytes of the file.
        start: the position of the pickle.
        names: the meaning of each (module, qualified name); a callable is a `Builder`.
        allowance: the remaining cost allowed.
        persistent: maps the identifier of a persistent object to its meaning.

    Raises:
        RefusedError: the pickle is damaged, or contains something that no checkpoint needs.
    """
    machine = _Machine(data, start, names, allowance, persistent)
    return machine.run(), machine.position


class _Machine:
    def __init__(
        self,
        data: memoryview,
        start: int,
        names: Mapping[tuple[str, str], Any],
        allowance: Allowance,
        persistent: Callable[[Any], Any],
    ):
        self.data = data
        self.position = start
        self.names = names
        self.allowance = allowance
        self.persistent = persistent
        self.stack: list[Any] = []
        self.below_marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        with_protocol = bytes(self.data[self.position : self.position + 1]) == pickle.PROTO
        try:
            while True:
                self.allowance.spend_opcode()
                opcode = self.take(1)[0]
                if opcode == pickle.STOP[0]:
                    return self.stack.pop()
                instruction = INSTRUCTIONS.get(opcode)
                if instruction is None:
                    self.refuse_opcode(opcode, with_protocol)
                instruction(self)
        except (IndexError, KeyError, UnicodeDecodeError) as error:  # raised for an empty stack or an unset memo
            what = "has damaged text" if isinstance(error, UnicodeDecodeError) else "is damaged"
            said = f"its pickle {what} before byte {self.position}" if with_protocol else NO_PICKLE
            raise RefusedError(said) from error

    def refuse_opcode(self, opcode: int, with_protocol: bool) -> NoReturn:
        if not with_protocol:
            raise RefusedError(NO_PICKLE)
        known = _OPCODE_NAMES.get(chr(opcode))
        what = f"instruction {known}" if known else f"unknown instruction {opcode}"
        raise RefusedError(f"its pickle has the {what} before byte {self.position}, which is refused")

    # --- the bytes of the file

    def take(self, count: int) -> memoryview:
        after = self.position + count
        if after > len(self.data):
            raise RefusedError("it is incomplete: its pickle ends in the middle")
        taken = self.data[self.position : after]
        self.position = after
        return taken

    def unsigned(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def signed(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little", signed=True)

    def text(self, width: int) -> str:
        size = self.unsigned(width)
        encoded = self.take(size)
        self.allowance.spend_text(size)
        return str(encoded, "utf-8", "surrogatepass")

    def line(self) -> str:
        ahead = bytes(self.data[self.position : self.position + MAX_NAME])
        size = ahead.find(b"\n")
        if size < 0:
            raise RefusedError(f"its pickle has a damaged name before byte {self.position}")
        return str(self.take(size + 1)[:size], "utf-8")

    # --- the stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.below_marks.append(self.stack)
        self.stack = []

    def pop_to_mark(self) -> list[Any]:
        above, self.stack = self.stack, self.below_marks.pop()
        return above

    def pop_tuple(self, size: int) -> None:
        if size > len(self.stack):
            raise IndexError
        self.stack[len(self.stack) - size :] = [tuple(self.stack[len(self.stack) - size :])]

    def top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise RefusedError(
                f"its pickle takes something else for a {kind.__name__.lower()} before byte {self.position}"
            )
        return self.stack[-1]

    def pop(self, kind: type) -> Any:
        value = self.top(kind)
        self.stack.pop()
        return value

    # --- containers; keys are text and integers only, whose hashes are always cheap

    def key(self, value: Any) -> str | int:
        if type(value) is not str and not (type(value) is int and abs(value) < 2**63):
            raise RefusedError(f"its pickle has a key that is neither text nor a number before byte {self.position}")
        return value

    def extend_list(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def update_dict(self, items: list[Any]) -> None:
        target = self.top(dict)
        if len(items) % 2:
            raise IndexError
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self.key(key)] = value

    def update_set(self, items: list[Any]) -> None:
        self.top(set).update([self.key(item) for item in items])

    # --- names and calls

    def look_up(self, module: str, name: str) -> None:
        if (module, name) not in self.names:
            raise RefusedError(f"its pickle names {printable(module)}.{printable(name)}, which is refused")
        self.push(Name(f"{module}.{name}", self.names[module, name]))

    def stack_global(self) -> None:
        name, module = self.pop(str), self.pop(str)
        self.look_up(module, name)

    def call(self) -> None:
        arguments, function = self.pop(tuple), self.pop(Name)
        if not callable(function.meaning):
            raise RefusedError(f"its pickle calls {function.name}, which is refused")
        self.push(function.meaning(arguments))

    def drop_state(self) -> None:
        self.stack.pop()
        if not isinstance(self.stack[-1], Opaque | dict):
            raise RefusedError(f"its pickle gives a state to plain data before byte {self.position}, which is refused")

    def check_frame(self) -> None:
        if self.unsigned(8) > len(self.data) - self.position:
            raise RefusedError("it is incomplete: its pickle ends in the middle")

    def check_protocol(self) -> None:
        if self.unsigned(1) > pickle.HIGHEST_PROTOCOL:
            raise RefusedError("its pickle is of a later protocol than this Python knows")


def _memoize(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


INSTRUCTIONS: dict[int, Callable[[_Machine], None]] = {
    opcode[0]: instruction
    for opcode, instruction in {
        pickle.PROTO: _Machine.check_protocol,
        pickle.FRAME: _Machine.check_frame,
        pickle.MARK: _Machine.mark,
        pickle.NONE: lambda m: m.push(None),
        pickle.NEWTRUE: lambda m: m.push(True),
        pickle.NEWFALSE: lambda m: m.push(False),
        pickle.BININT: lambda m: m.push(m.signed(4)),
        pickle.BININT1: lambda m: m.push(m.unsigned(1)),
        pickle.BININT2: lambda m: m.push(m.unsigned(2)),
        pickle.LONG1: lambda m: m.push(m.signed(m.unsigned(1))),
        pickle.BINFLOAT: lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        pickle.SHORT_BINUNICODE: lambda m: m.push(m.text(1)),
        pickle.BINUNICODE: lambda m: m.push(m.text(4)),
        pickle.BINUNICODE8: lambda m: m.push(m.text(8)),
        pickle.SHORT_BINBYTES: lambda m: m.push(m.take(m.unsigned(1))),
        pickle.BINBYTES: lambda m: m.push(m.take(m.unsigned(4))),
        pickle.BINBYTES8: lambda m: m.push(m.take(m.unsigned(8))),
        pickle.BYTEARRAY8: lambda m: m.push(m.take(m.unsigned(8))),
        pickle.EMPTY_LIST: lambda m: m.push([]),
        pickle.APPEND: lambda m: m.extend_list([m.stack.pop()]),
        pickle.APPENDS: lambda m: m.extend_list(m.pop_to_mark()),
        pickle.EMPTY_TUPLE: lambda m: m.push(()),
        pickle.TUPLE: lambda m: m.push(tuple(m.pop_to_mark())),
        pickle.TUPLE1: lambda m: m.pop_tuple(1),
        pickle.TUPLE2: lambda m: m.pop_tuple(2),
        pickle.TUPLE3: lambda m: m.pop_tuple(3),
        pickle.EMPTY_DICT: lambda m: m.push({}),
        pickle.SETITEM: lambda m: m.update_dict([m.stack.pop(-2), m.stack.pop()]),
        pickle.SETITEMS: lambda m: m.update_dict(m.pop_to_mark()),
        pickle.EMPTY_SET: lambda m: m.push(set()),
        pickle.ADDITEMS: lambda m: m.update_set(m.pop_to_mark()),
        pickle.MEMOIZE: lambda m: _memoize(m, len(m.memo)),
        pickle.BINPUT: lambda m: _memoize(m, m.unsigned(1)),
        pickle.LONG_BINPUT: lambda m: _memoize(m, m.unsigned(4)),
        pickle.BINGET: lambda m: m.push(m.memo[m.unsigned(1)]),
        pickle.LONG_BINGET: lambda m: m.push(m.memo[m.unsigned(4)]),
        pickle.GLOBAL: lambda m: m.look_up(m.line(), m.line()),
        pickle.STACK_GLOBAL: _Machine.stack_global,
        pickle.REDUCE: _Machine.call,
        pickle.NEWOBJ: _Machine.call,
        pickle.BUILD: _Machine.drop_state,
        pickle.BINPERSID: lambda m: m.push(m.persistent(m.stack.pop())),
    }.items()
}
"""All supported instructions; others (EXT, INST, OBJ, NEWOBJ_EX, PERSID, LONG4, ...) are refused by name."""

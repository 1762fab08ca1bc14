"""A TorchScript archive as data: modules as inert records, tensors as arrays, code as text."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import numpy as np

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import printable, short_reason
from spikeport.toolchain.files.zip_archive import COPY_AGAIN, open_archive, read_member
from spikeport.toolchain.readers.graphs.onnx_file import GRAPH_LIMIT
from spikeport.toolchain.readers.graphs.storage import strided
from spikeport.toolchain.readers.pickles.pickle_scan import scan_pickle
from spikeport.toolchain.readers.pickles.restricted_pickle import Record

CODE_LIMIT = 4 * 2**20  # bytes of code in one archive
REBUILD = "torch._utils._rebuild_tensor_v2"
TAGGED = ("torch.jit._pickle.restore_type_tag",) + tuple(
    f"torch.jit._pickle.build_{kind}list" for kind in ("int", "double", "bool", "tensor")
)
STORAGES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "<i1",
    "torch.ByteStorage": "<u1",
    "torch.BoolStorage": "?",
}
_PLAIN = (REBUILD, *TAGGED, *STORAGES, "collections.OrderedDict")
EXPORT = ("export the policy to ONNX", "torch.save(actor.state_dict(), FILE)")


class Storage:
    """Where a tensor's bytes are: a pickle's ("storage", type, key, device, entries)."""

    def __init__(self, identity: object) -> None:
        self.identity = identity


class _Unpickler(pickle.Unpickler):
    """Classes become records.

    Those of the archive's own code (`__torch__.`) and of tensors are admitted.
    """

    def __init__(self, data: bytes, where: str) -> None:
        super().__init__(io.BytesIO(data))
        self._where = where
        self._classes: dict[str, type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        path = f"{module}.{name}"
        if path not in _PLAIN and not path.startswith("__torch__."):
            raise InputError(
                self._where,
                "the archive names a Python object that is not loaded",
                got=printable(path, 100),
                limit="modules of its own code and tensors",
                why="loading it could run code; nothing was executed",
                fix=EXPORT,
            )
        return self._classes.setdefault(path, type("Record", (Record,), {"path": path}))

    def persistent_load(self, pid: object) -> Storage:
        return Storage(pid)


class Archive:
    """The opened archive.

    `root` is the record of the saved module, `constants` those that its code names.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        self._zip: zipfile.ZipFile = open_archive(data, where, GRAPH_LIMIT)
        self._names = frozenset(self._zip.namelist())
        self.top = next(
            name
            for name in self._zip.namelist()
            if name.count("/") == 1 and name.endswith("/constants.pkl")
        ).split("/")[0]
        if (
            f"{self.top}/byteorder" in self._names
            and read_member(self._zip, f"{self.top}/byteorder", where, 64) != b"little"
        ):
            raise InputError(
                where,
                "the archive was written on a big-endian computer",
                limit="little",
                fix=EXPORT,
            )
        self._code_bytes = 0
        self.root = self._pickle("data")
        self.constants = self._pickle("constants")

    def close(self) -> None:
        """Close the zip archive."""
        self._zip.close()

    def code(self, module: str) -> str | None:
        """The text of a module such as `__torch__.torch.nn.functional`.

        None where the archive has none.
        """
        member = f"{self.top}/code/{module.replace('.', '/')}.py"
        if member not in self._names:
            return None
        data = read_member(self._zip, member, self.where, CODE_LIMIT)
        self._code_bytes += len(data)
        if self._code_bytes > CODE_LIMIT:
            raise InputError(
                self.where,
                "the archive's code is too large for a policy",
                got=f"{self._code_bytes} bytes",
                limit=CODE_LIMIT,
                fix=EXPORT,
            )
        return data.decode("utf-8", "replace")

    def value(self, stored: object, folder: str = "data") -> Any:
        """A field's value.

        A tensor as an array, tagged containers as lists, the rest as it is; ValueError for bad
        tensors.
        """
        if isinstance(stored, Record) and stored.path == REBUILD:
            return self._tensor(stored, folder)
        if isinstance(stored, Record) and stored.path in TAGGED and stored.arguments:
            return self.value(stored.arguments[0], folder)
        if isinstance(stored, (list, tuple)) and len(stored) < 10_000:
            return [
                self.value(item, folder) if not isinstance(item, (list, tuple)) else item
                for item in stored
            ]
        return stored

    def _tensor(self, stored: Record, folder: str) -> Any:
        if len(stored.arguments) < 4 or not isinstance(stored.arguments[0], Storage):
            raise ValueError("it is no tensor of a TorchScript archive")
        identity = stored.arguments[0].identity
        offset, shape, strides = stored.arguments[1:4]
        if (
            not isinstance(identity, tuple)
            or len(identity) != 5
            or identity[0] != "storage"
            or not isinstance(identity[2], str)
        ):
            raise ValueError("its storage has no place")
        kind = STORAGES.get(getattr(identity[1], "path", ""))
        if (
            kind is None
            or not isinstance(shape, tuple)
            or not isinstance(strides, tuple)
            or not isinstance(offset, int)
        ):
            raise ValueError("its type is not supported")
        data = read_member(self._zip, f"{self.top}/{folder}/{identity[2]}", self.where, GRAPH_LIMIT)
        return np.asarray(strided(data, kind, offset, shape, strides))

    def _pickle(self, name: str) -> object:
        place = f"{self.where} ({name}.pkl)"
        data = read_member(self._zip, f"{self.top}/{name}.pkl", self.where, GRAPH_LIMIT)
        scan_pickle(data, place)
        try:
            return _Unpickler(data, place).load()
        except InputError:
            raise
        except Exception as error:  # a damaged pickle raises any of a dozen types; none may escape
            raise InputError(
                place,
                "not a readable pickle",
                got=short_reason(error),
                why="it is damaged or something else",
                fix=COPY_AGAIN,
            ) from None

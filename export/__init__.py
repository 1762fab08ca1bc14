"""The exporters: an artifact in the forms that other people's tools read.

`spikeport.export` is this package and the public function `export(artifact, to, path)` at once: the
module can be called, so that `spikeport.export(artifact, "onnx", "policy.onnx")` works whether or
not something has imported `spikeport.export.onnx` before.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """This package; a call is `spikeport.api.export`."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from spikeport.api import export

        return export(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage

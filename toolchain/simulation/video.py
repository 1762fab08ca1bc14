"""Frames of one episode to a video file, written by imageio."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import write_atomically

SUFFIXES = (".mp4", ".gif")


class Video:
    """Collects frames of an environment made with `render_mode="rgb_array"`."""

    def __init__(self, path: Path) -> None:
        if path.suffix not in SUFFIXES:
            raise InputError(
                "--video",
                "unknown kind of video file",
                got=path.suffix or "no suffix",
                limit=", ".join(SUFFIXES),
                fix="--video episode.mp4",
            )
        if path.is_dir() or not path.parent.is_dir():
            reason = "it is a folder" if path.is_dir() else "its folder does not exist"
            raise InputError(
                "--video",
                f"cannot be written: {reason}",
                got=path,
                fix="--video episode.gif",
            )
        try:
            import imageio.v3  # noqa: F401
        except ImportError:
            raise InputError(
                "--video", "imageio is not installed", fix="pip install imageio imageio-ffmpeg"
            ) from None
        if path.suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
            raise InputError(
                "--video",
                "imageio-ffmpeg is not installed",
                why="an .mp4 file needs it",
                fix=("pip install imageio-ffmpeg", "--video episode.gif"),
            )
        self.path = path
        self._frames: list[Any] = []

    def frame(self, env: Any) -> None:
        """Render the environment as it is now."""
        try:
            self._frames.append(env.render())
        except Exception as error:  # OpenGL loaders raise whatever they like
            raise InputError(
                "--video",
                f"the environment cannot be rendered here: {type(error).__name__} {error}",
                fix=(
                    "set MUJOCO_GL=egl or MUJOCO_GL=osmesa and install that library",
                    "omit --video",
                ),
            ) from None

    def save(self, control_period_s: float | None) -> None:
        """Write all frames at the control rate."""
        import imageio.v3 as imageio

        if not self._frames:
            raise InputError(
                "--video",
                "there is nothing to film: the episode ended with its first decision",
                fix="omit --video",
            )
        rate = 1.0 / (control_period_s or 1 / 30)
        options: dict[str, Any] = {"fps": rate, "macro_block_size": 2}
        if self.path.suffix == ".gif":
            options = {"duration": 1000.0 / rate, "loop": 0}

        def write(temporary: Path) -> None:
            try:
                imageio.imwrite(temporary, self._frames, extension=self.path.suffix, **options)
            except (ImportError, ValueError, RuntimeError) as error:
                raise InputError(
                    "--video",
                    f"cannot be encoded: {error}",
                    fix=("pip install imageio-ffmpeg", "--video episode.gif"),
                ) from None

        write_atomically(self.path, write)

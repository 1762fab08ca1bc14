"""Draw docs/walker.png: a policy as it was trained and as integers, side by side.

    python examples/picture.py
    python examples/picture.py --artifact policy.spk    # converted before

One episode each from the same seed. The robot is drawn by MuJoCo without a screen, through EGL
(Debian: apt-get install libegl1 libgl1-mesa-dri).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import gymnasium  # noqa: E402
import matplotlib  # noqa: E402
import mujoco  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib import colors  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

import spikeport  # noqa: E402

POLICY = ROOT / "examples" / "policies" / "td3-HalfCheetah-v5.pt"
ENVIRONMENT = "HalfCheetah-v5"
PICTURE = ROOT / "docs" / "walker.png"
SEED = 1000  # the first that the project's tables report on
FIRST_POSE = 400  # a decision in full stride
POSES = 8
STRIDE = 3  # decisions between poses
SIZE = (230, 1500)  # of the rendered strip: height and width, pixels
FIELD_OF_VIEW = 8  # degrees, upright; narrow, so that all poses are seen from the side
HEIGHT = 0.5  # metres above the floor of what is in the middle
SKY = 255  # white
WIDTH = 13.0  # metres that are seen
SMOOTHED = 25  # decisions, for the curve of synops
DOTS_PER_INCH = 110
ANN_COLOUR = "#8a8f98"
SPIKING_COLOUR = "#0b7285"


@dataclass
class Run:
    """One episode.

    Attributes:
        rewards: Of each decision.
        synops: Of each decision; empty for the policy as it was trained.
        poses: Joint positions [POSES, nq], STRIDE decisions apart.
    """

    rewards: NDArray[np.float64]
    synops: NDArray[np.int64]
    poses: NDArray[np.float64]


def episode(decide: Callable[..., Any], synops: Callable[[], int] | None, decisions: int) -> Run:
    """Run an episode from SEED.

    Args:
        decide: Takes an observation and gives an action.
        synops: Gives the synops so far; None where there are none to count.
        decisions: How many are taken at most.

    Returns:
        The episode.
    """
    env: Any = gymnasium.make(ENVIRONMENT)
    shown = range(FIRST_POSE, FIRST_POSE + POSES * STRIDE, STRIDE)
    rewards: list[float] = []
    totals = [0]
    poses = []
    observation, _ = env.reset(seed=SEED)
    for number in range(decisions):
        action = np.asarray(decide(observation), np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        rewards.append(float(reward))
        if synops is not None:
            totals.append(synops())
        if number in shown:
            poses.append(env.unwrapped.data.qpos.copy())
        if terminated or truncated:
            break
    env.close()
    return Run(np.array(rewards), np.diff(totals), np.array(poses))


def strip(poses: NDArray[np.float64], colour: str) -> NDArray[np.uint8]:
    """All poses in one scene, each where the robot was, in a colour: pixels [height, width, 3]."""
    env: Any = gymnasium.make(ENVIRONMENT)
    model = mujoco.MjModel.from_xml_path(env.unwrapped.fullpath)
    env.close()
    model.vis.global_.offwidth = SIZE[1]
    model.vis.global_.fovy = FIELD_OF_VIEW
    model.vis.headlight.ambient[:] = 0.35
    model.tex_data[: model.tex_adr[1]] = SKY  # the first texture is the sky
    model.geom_matid[:] = -1
    model.geom_rgba[:] = colors.to_rgba(colour)
    model.geom_rgba[model.geom("floor").id] = 0  # draw() has a line for it
    camera = mujoco.MjvCamera()
    camera.lookat[:] = poses[:, 0].mean(), 0, HEIGHT
    camera.azimuth = 90
    camera.elevation = 0

    camera.distance = WIDTH * SIZE[0] / SIZE[1] / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))
    option = mujoco.MjvOption()
    perturbation = mujoco.MjvPerturb()
    data = mujoco.MjData(model)
    with mujoco.Renderer(model, *SIZE) as renderer:
        for number, pose in enumerate(poses):
            data.qpos[:] = pose
            mujoco.mj_forward(model, data)
            if number == 0:
                renderer.update_scene(data, camera, option)
            else:
                mujoco.mjv_addGeoms(
                    model,
                    data,
                    option,
                    perturbation,
                    mujoco.mjtCatBit.mjCAT_DYNAMIC,
                    renderer.scene,
                )
        return renderer.render()


def draw(ann: Run, spiking: Run, macs: int, output: Path) -> None:
    """Write the picture.

    Args:
        ann: The policy as it was trained.
        spiking: The policy as integers.
        macs: Multiply-adds of a decision of the policy as it was trained.
        output: The file, PNG.
    """
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9})
    figure = pyplot.figure(figsize=(10.4, 5.0), facecolor="white")
    rows = figure.add_gridspec(
        3, 1, height_ratios=(1, 1, 1.55), left=0.065, right=0.985, top=0.94, bottom=0.1, hspace=0.36
    )
    named = (
        (ann, ANN_COLOUR, f"as trained: float network, {macs:,} multiply-adds a decision"),
        (
            spiking,
            SPIKING_COLOUR,
            "as converted: integers alone, "
            f"{spiking.synops.mean():,.0f} synops a decision ({spiking.synops.mean() / macs:.0%})",
        ),
    )
    for row, (run, colour, title) in enumerate(named):
        axis = figure.add_subplot(rows[row])
        axis.imshow(strip(run.poses, colour), aspect="auto")
        axis.set_title(title, loc="left", color=colour, fontweight="bold", fontsize=9.5)
        axis.axhline(SIZE[0] / 2 + HEIGHT * SIZE[1] / WIDTH, color="0.75", linewidth=1)
        axis.set_axis_off()
    below = rows[2].subgridspec(1, 2, wspace=0.16)
    returns = figure.add_subplot(below[0])
    work = figure.add_subplot(below[1])
    for run, colour, name, line in (
        (ann, ANN_COLOUR, "as trained", "-"),
        (spiking, SPIKING_COLOUR, "integers", "--"),
    ):
        label = f"{name}: {run.rewards.sum():,.0f}"
        returns.plot(np.cumsum(run.rewards), color=colour, linestyle=line, linewidth=2, label=label)
    returns.set_title(f"return so far, one episode from seed {SEED}", loc="left", fontsize=9.5)
    work.axhline(macs, color=ANN_COLOUR, linewidth=2, label="multiply-adds, as trained")
    window = np.ones(SMOOTHED) / SMOOTHED
    smooth = np.convolve(spiking.synops, window, mode="valid")
    work.plot(smooth, color=SPIKING_COLOUR, linewidth=1.5, label="synops, integers")
    work.set_title(f"work a decision (mean of {SMOOTHED})", loc="left", fontsize=9.5)
    work.set_ylim(0, 1.15 * macs)
    work.yaxis.set_major_formatter(lambda value, _: f"{value / 1000:.0f}k")
    for axis in (returns, work):
        axis.set_xlabel("decision")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc="center right" if axis is work else "upper left")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=DOTS_PER_INCH, metadata={"Software": None})
    pyplot.close(figure)


def both(artifact: Any, policy: Any, decisions: int) -> tuple[Run, Run]:
    """The episode of the policy as it was trained, and of the artifact."""
    ann = episode(lambda observation: policy.act(observation[None])[0], None, decisions)
    with artifact.controller(backend="fast") as controller:
        controller.reset()
        spiking = episode(controller.decide, lambda: controller.census().synops, decisions)
    return ann, spiking


def main() -> None:
    """Convert, run both, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--artifact", type=Path, help="converted before; else it is done here")
    parser.add_argument("--output", type=Path, default=PICTURE)
    given = parser.parse_args()
    policy = spikeport.load_policy(POLICY, env=ENVIRONMENT)
    if given.artifact:
        artifact = spikeport.load(given.artifact)
    else:
        artifact = spikeport.convert(policy, env=ENVIRONMENT)
    ann, spiking = both(artifact, policy, decisions=1000)
    draw(ann, spiking, policy.macs, given.output)
    print(
        f"{given.output}: return {ann.rewards.sum():.1f} as trained, {spiking.rewards.sum():.1f} as"
        f" integers, {spiking.synops.mean():.0f} synops for {policy.macs} multiply-adds"
    )


if __name__ == "__main__":
    main()

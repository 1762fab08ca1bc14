"""`tune`: calibrate, search, judge, and hand over the cheapest artifact that holds."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.reset_seeds import judging_seeds, search_seeds
from spikeport.toolchain.conversion.calibration.signal_statistics import measure
from spikeport.toolchain.conversion.calibration.states import from_environment
from spikeport.toolchain.conversion.schemes.action_error import open_loop_error
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import Policy, is_feed_forward
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.simulation.return_statistics import return_ratio
from spikeport.toolchain.tuning.course import RUNGS, Course, affordable_rungs
from spikeport.toolchain.tuning.point import Point
from spikeport.toolchain.tuning.search import Report, Search
from spikeport.toolchain.tuning.study import open_study, quiet
from spikeport.toolchain.tuning.tuning_evidence import Episodes, Evidence
from spikeport.toolchain.tuning.tuning_options import TuningOptions
from spikeport.toolchain.tuning.tuning_result import Candidate, Tuned, candidate_facts, pareto_front
from spikeport.toolchain.tuning.workers import Workers, usable_cores

JUDGED = (24, 216)  # episodes of a judgement, at least and at most
JUDGEMENTS = 2  # that time is kept for
DEARER = 1.1  # times the cost of one that did not hold: who is asked next
MOST_KEPT = 0.4  # of the minutes, for judging
LATE = 5  # seconds that the last candidate of a search may be late
DEFAULTS = TuningOptions()


@dataclass(frozen=True, eq=False)
class Choice:
    """What the judgement chose."""

    chosen: Candidate
    plain: Candidate  # the best plain conversion, or the chosen one if it is plain
    judged: int  # candidates that were judged

    @property
    def cheaper(self) -> bool:
        """Whether something other than the plain conversion was chosen."""
        return self.chosen[0] != self.plain[0]

    @property
    def verdict(self) -> str:
        """Why the chosen candidate holds or not, in words."""
        reason = self.chosen[1].reason
        if self.cheaper:
            return reason
        holds = "holds" if self.chosen[1].safe else "does not hold"
        return f"nothing cheaper was safe; this is the plain conversion, which {holds}: {reason}"


def tune(
    policy: AnyPolicy,
    environment: str,
    options: TuningOptions = DEFAULTS,
    *,
    study: Path | None = None,
    report: Report = lambda number, point, evidence: None,
    note: Callable[[str], None] = lambda text: None,
) -> Tuned:
    """Search for the cheapest conversion that holds `options.target` in an environment.

    Args:
        policy: A feed-forward ANN.
        environment: A Gymnasium id that the user typed, perhaps `module:Id`.
        options: What is searched, and for how long.
        study: A file that an interrupted search goes on from.
        report: Is called with number, point and evidence after each candidate.
        note: Is called with what else a user should know.

    Returns:
        What was found; where nothing holds, the plain conversion with `holds` False.

    Raises:
        InputError: Where the policy, the environment and the options do not fit.
    """
    started = time.monotonic()
    if not is_feed_forward(policy):
        raise _nothing_to_tune(policy)
    neurons = usable_neurons(policy, options, note)
    with quiet():
        opened = open_study(study, options.identity(policy, environment), options)
    course = prepare(policy, environment, options)
    with quiet(), Workers(course, usable_cores()) as workers:
        ann, rungs, seconds = source_episodes(workers)
        note(
            f"{course.environment.id}: source return {ann.returns.mean():.1f},"
            f" {'/'.join(map(str, rungs))} episodes a candidate, {workers.count} at a time"
        )
        search = Search(workers, opened, neurons, ann, rungs, report)
        deadline = started - opened.spent() + 60 * options.minutes
        count, kept = judging_time(seconds, options)
        search.run(deadline - kept)
        choice = choose(search, count, deadline, note)
    tuned = Tuned(
        artifact=recording_seeds(course, rungs, count).build(choice.chosen[0]),
        holds=choice.chosen[1].safe,
        verdict=choice.verdict,
        chosen=choice.chosen,
        plain=cheapest_safe_plain(search, choice.plain) if choice.cheaper else choice.plain,
        pareto=pareto_front(search.tried, rungs[1]),
        trials=len(search.runners),
        safe=len(search.safe),
        rungs=rungs,
        judged=choice.judged,
        judging_episodes=count,
        seconds=time.monotonic() - started,
        options=options,
    )
    return dataclasses.replace(tuned, artifact=with_record(tuned, course))


def judging_time(seconds: float, options: TuningOptions) -> tuple[int, float]:
    """Episodes of a judgement, and the seconds that are kept for judging.

    `seconds` are those of one episode, all workers at it.
    """
    most = MOST_KEPT * 60 * options.minutes
    both = 2.0 * seconds  # the source runs every episode as well
    count = int(np.clip(most / (JUDGEMENTS * both), *JUDGED))
    return count, min(JUDGEMENTS * count * both + LATE, most)


def choose(search: Search, count: int, deadline: float, note: Callable[[str], None]) -> Choice:
    """Judge on `count` fresh episodes; the plain conversion where nothing cheaper holds."""
    course = search.course
    if not search.tried:
        minutes = course.options.minutes
        raise InputError(
            "--minutes",
            "no candidate could be run in this time",
            got=minutes,
            fix=f"--minutes {max(2.0, 10 * minutes):g}",
        )
    plain = [candidate for candidate in search.tried if is_plain(candidate[0])]
    untried = Point(weight_bits=max(course.options.weight_bits), neuron=search.neurons[0])
    nothing = (untried, nothing_known())
    best_plain = max(plain, key=lambda candidate: candidate[1].ratio, default=nothing)
    chosen, judged = judge(search, count, deadline, note)
    if chosen is None or chosen[1].cost > best_plain[1].cost > 0:
        unaided = fall_back(search.workers, best_plain[0], count, note)
        if chosen is None or unaided[1].safe:
            chosen = unaided
    if chosen[0] == best_plain[0]:
        best_plain = chosen  # with the judgement on fresh seeds
    return Choice(chosen, best_plain, judged)


def cheapest_safe_plain(search: Search, best: Candidate) -> Candidate:
    """The cheapest plain conversion that is safe, else `best`."""
    safe = [candidate for candidate in search.safe if is_plain(candidate[0])]
    return min(safe, key=lambda candidate: candidate[1].cost, default=best)


def recording_seeds(course: Course, rungs: tuple[int, ...], count: int) -> Course:
    """The course with the seeds of search and judgement in its calibration.

    The artifact lists them, so that no reported return is of a seed that it was chosen on.
    """
    seed = course.options.seed
    seeds = (
        *course.calibration.seeds,
        *search_seeds(seed, rungs[-1]),
        *judging_seeds(seed, count),
    )
    return dataclasses.replace(
        course, calibration=dataclasses.replace(course.calibration, seeds=seeds)
    )


def _nothing_to_tune(policy: AnyPolicy) -> InputError:
    if policy.own_neuron is None:
        return InputError(
            policy.provenance.file,
            "this kind of policy has nothing to tune",
            got=type(policy).__name__,
            limit="a feed-forward ANN",
            fix="spikeport convert",
        )
    return InputError(
        policy.provenance.file,
        "a spiking checkpoint has nothing to tune: its neurons, thresholds and timesteps are those"
        " it was trained with",
        got=f"{policy.neuron}, T = {policy.timesteps}",
        limit="an ANN",
        fix="spikeport convert, with --weight-bits for smaller weights",
    )


def usable_neurons(
    policy: Policy, options: TuningOptions, note: Callable[[str], None]
) -> tuple[str, ...]:
    """The wanted neurons that can carry the policy's activations."""
    relu = all(layer.activation == "relu" for layer in policy.layers[:-1])
    usable = tuple(name for name in options.neurons if name == "sdn" or relu)
    if not usable:
        raise InputError(
            "--neurons",
            "none of them carries this policy's activations",
            got=", ".join(options.neurons),
            limit="sdn",
            fix="--neurons sdn",
        )
    if usable != options.neurons:
        note("only sdn carries this policy's activations: the other neurons are left out")
    return usable


def prepare(policy: Policy, environment: str, options: TuningOptions) -> Course:
    """Calibrate the policy in the environment; what all candidates share."""
    env = gymnasium_bridge.make(environment, trusted=True)
    try:
        gymnasium_bridge.check_fit(
            gymnasium_bridge.facts(env, environment), policy.observation.size, policy.action
        )
        calibration = from_environment(policy, env, options.calibration_steps, options.seed)
        record = gymnasium_bridge.record(env, environment)
    finally:
        env.close()
    return Course(
        policy,
        calibration,
        measure(policy, calibration),
        record,
        partial(gymnasium_bridge.make, environment, trusted=True),
        options,
    )


def source_episodes(workers: Workers) -> tuple[Episodes, tuple[int, ...], float]:
    """Run the source policy on the search seeds.

    Returns its episodes, the rungs that there is time for, and seconds per episode with all
    workers at it.
    """
    options = workers.course.options
    seeds = search_seeds(options.seed, RUNGS[-1])
    ann = Episodes()
    ann += workers.episodes(seeds[: RUNGS[0]])
    started = time.monotonic()  # the first episodes load and compile
    ann += workers.episodes(seeds[RUNGS[0] : RUNGS[1]])
    seconds = (time.monotonic() - started) / (RUNGS[1] - RUNGS[0])
    rungs = affordable_rungs(seconds, 60 * options.minutes)
    for before, rung in pairwise(rungs[1:]):
        ann += workers.episodes(seeds[before:rung])
    if not np.isfinite(ann.returns).all() or return_ratio(ann.returns, ann.returns) is None:
        raise InputError(
            "tune",
            "the source policy's return is no measure",
            got=float(ann.returns.mean()),
            limit="finite and not about 0",
            fix="use `spikeport convert`",
        )
    return ann, rungs, seconds


def judge(
    search: Search, count: int, deadline: float, note: Callable[[str], None]
) -> tuple[Candidate | None, int]:
    """Run the candidates in reserve on fresh seeds, the cheapest first, until one holds.

    Args:
        search: A finished search.
        count: Episodes of a judgement.
        deadline: After which no further judgement begins, of time.monotonic.
        note: Is called with a sentence after each judgement.

    Returns:
        The candidate that holds, with this evidence, or None; and how many were judged.
    """
    workers = search.workers
    course = search.course
    seeds = judging_seeds(course.options.seed, count)
    rungs = tuple(sorted({min(rung, count) for rung in (search.rungs[1], count // 4, count)}))
    ann = Episodes()
    judged = 0
    longest = 0.0
    refused = 0.0
    for point, known in search.reserve:
        left = deadline - time.monotonic()
        if judged and left < longest:
            break
        last = judged and left < 2 * longest  # the last turn is a safe one's
        if known.cost < DEARER * refused or (last and not known.safe):
            continue
        started = time.monotonic()
        spiking = Episodes()
        artifact = course.build(point)
        evidence = nothing_known()
        for rung in rungs:
            if ann.count < rung:
                before = time.monotonic()
                ann += workers.episodes(seeds[ann.count : rung])
                started += time.monotonic() - before  # the source runs them once
            spiking += workers.episodes(seeds[spiking.count : rung], artifact=artifact)
            evidence = course.assess(artifact, spiking, ann, rung == rungs[-1])
            if evidence.failed:
                break
        longest = max(longest, time.monotonic() - started)
        judged += 1
        holds = "holds" if evidence.safe else "does not hold"
        note(
            f"judged on {evidence.episodes} fresh episodes: cost {evidence.cost:.4g}, {holds},"
            f" {evidence.reason}"
        )
        if evidence.safe:
            return (point, evidence), judged
        refused = known.cost
    return None, judged


def fall_back(workers: Workers, plain: Point, count: int, note: Callable[[str], None]) -> Candidate:
    """The plain conversion, judged by the rule of reports.

    It was not chosen among many, so it needs no margin.
    """
    seeds = judging_seeds(workers.course.options.seed, count)
    artifact = workers.course.build(plain)
    ann = Episodes(tuple(workers.episodes(seeds)))
    spiking = Episodes(tuple(workers.episodes(seeds, artifact=artifact)))
    evidence = workers.course.holds(artifact, spiking, ann)
    holds = "holds" if evidence.safe else "does not hold"
    note(f"the plain conversion on {evidence.episodes} fresh episodes: {holds}, {evidence.reason}")
    return plain, evidence


def is_plain(point: Point) -> bool:
    """Whether a point is what `convert` makes of an action error alone."""
    return (
        point.neuron == "sdn"
        and point.allocation == "sensitivity"
        and not point.thrift
        and not point.error_shares
        and set(point.triggers) <= {1}
    )


def nothing_known() -> Evidence:
    """The evidence of a candidate that never ran."""
    return Evidence(0, 0.0, 0.0, 0.0, 0.0, False, "not tried")


def with_record(tuned: Tuned, course: Course) -> Artifact:
    """The artifact with its tuning in the calibration record."""
    options = tuned.options
    record = {
        "target": options.target,
        "cost": options.cost,
        "profile": options.profile,
        "chatter": options.chatter,
        "holds": tuned.holds,
        "trials": tuned.trials,
        "search_episodes": tuned.rungs[-1],
        "judging_episodes": tuned.judging_episodes,
        "chosen": candidate_facts(tuned.chosen),
        "pareto": [
            [candidate[1].cost, candidate[1].ratio, candidate[1].safe] for candidate in tuned.pareto
        ],
    }
    notes = {
        "measured_action_error": open_loop_error(tuned.artifact, course.policy, course.calibration),
        "tuning": record,
    }
    return dataclasses.replace(tuned.artifact, calibration=tuned.artifact.calibration | notes)

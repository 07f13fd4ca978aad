#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws what tessera-solve --timeline and tessera-compare --json have written, as PNG."""

import argparse
import json
import sys

# Okabe and Ito's colours, which the colour-blind tell apart.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")
BARS = (BLUE, ORANGE, GREEN, SKY, PURPLE, VERMILION, YELLOW)
GREY, DARK = "#BBBBBB", "#444444"

LANES = {"update": BLUE, "panel": ORANGE, "exchange": GREEN, "waiting": VERMILION, "other": GREY}
LANE_OF = {"update": "update", "diagonal": "panel", "panel": "panel", "exchange": "exchange", "waiting": "waiting"}
OTHERS = ("LAPACK", "ScaLAPACK")


class Complaint(Exception):
    """What is wrong, to be told in one line."""


def pyplot():
    try:
        import matplotlib
    except ImportError:
        raise Complaint(f"{sys.executable} has no matplotlib: apt-get install python3-matplotlib") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({
        "font.size": 9, "axes.titlesize": 10, "axes.edgecolor": DARK, "axes.spines.top": False,
        "axes.spines.right": False, "axes.axisbelow": True, "grid.color": "#E4E4E4", "grid.linewidth": 0.7,
        "legend.frameon": False, "savefig.dpi": 150, "figure.constrained_layout.use": True,
    })
    return plt


def load(path, program):
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as e:
        raise Complaint(f"cannot read {path}: {e.strerror}") from None
    except ValueError as e:
        raise Complaint(f"{path} is no JSON: {e}") from None
    if not isinstance(data, dict) or data.get("program") != program:
        raise Complaint(f"{path} is not from {program}")
    return data


def footnote(figure, text):
    figure.supxlabel(text, fontsize=7.5, color="#666666")


def save(figure, path):
    try:
        figure.savefig(path, format="png", pil_kwargs={"optimize": True})
    except OSError as e:
        raise Complaint(f"cannot write {path}: {e.strerror}") from None


def count(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def percent(share):
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


# ---- one rank's timeline


def own_time(events, phase):
    """The intervals of each lane, without those of the regions inside; and the phase's own begin and end."""
    whole = f"tessera::{phase}"
    phases = [e for e in events if e["name"] == whole]
    if not phases:
        return None
    begin, end = phases[0]["begin"], phases[-1]["end"]
    lanes = {lane: [] for lane in LANES}
    stack = []
    now = begin

    def until(time):
        """Gives the time up to here to the innermost region."""
        nonlocal now
        if stack and time > now:
            lanes[stack[-1][0]].append((now, time))
        now = max(now, time)

    for event in events:  # in the order in which they begin
        name = event["name"]
        if name != whole and not name.startswith(whole + "::"):
            continue  # a kernel library's region: its time is that of the region around it
        while stack and stack[-1][1] <= event["begin"]:
            until(stack[-1][1])
            stack.pop()
        until(event["begin"])
        stack.append((LANE_OF.get(name[len(whole) + 2:], "other"), event["end"]))
    while stack:
        until(stack[-1][1])
        stack.pop()
    return lanes, begin, end


def bars(intervals, least):
    """Begins and lengths, to be drawn: none is shorter than what can be seen, nor is any gap."""
    result = []
    for begin, end in intervals:
        if result and begin - result[-1][1] < least:
            result[-1][1] = end
        else:
            result.append([begin, end])
    return [(begin, max(end - begin, least)) for begin, end in result]


def draw_timeline(args):
    data = load(args.timeline, "tessera-solve")
    if "events" not in data:
        raise Complaint(f"{args.timeline} is a report, not a timeline (tessera-solve --timeline)")
    found = {phase: own_time(data["events"], phase) for phase in ("factorize", "solve")}
    found = {phase: times for phase, times in found.items() if times}
    if not found:
        raise Complaint(f"{args.timeline} has no region of Tessera's")
    plt = pyplot()
    from matplotlib.patches import Patch

    def share(phase, lane):
        lanes, begin, end = found[phase]
        return sum(e - b for b, e in lanes[lane]) / max(end - begin, 1e-9)

    least = dict.fromkeys(LANES, 0.0005) | {"other": 0.005}
    shown = [lane for lane in LANES if any(share(phase, lane) > least[lane] for phase in found)]
    figure, axes = plt.subplots(1, len(found), sharey=True, squeeze=False, figsize=(10, 3),
                                gridspec_kw={"width_ratios": [1.7, 1][:len(found)]})
    for ax, (phase, (lanes, begin, end)) in zip(axes[0], found.items()):
        length = max(end - begin, 1e-9)
        unit, name = (1, "s") if length >= 1 else (1e3, "ms")
        ax.broken_barh([(0, length * unit)], (-0.4, 0.8), color="#D9D9D9", linewidth=0)
        ax.text(length * unit / 2, 0, f"{phase}  {length * unit:.3g} {name}", ha="center", va="center", weight="bold")
        for row, lane in enumerate(shown, start=1):
            spans = [((b - begin) * unit, w * unit) for b, w in bars(lanes[lane], length / 2000)]
            ax.broken_barh(spans, (row - 0.4, 0.8), color=LANES[lane], linewidth=0, snap=False)  # which drops thin ones
        ax.set_xlim(-0.005 * length * unit, 1.005 * length * unit)
        ax.set_xlabel(f"{name} since {phase} began")
        ax.grid(axis="x")
        ax.tick_params(axis="y", length=0)
        columns = len(shown) if phase == "factorize" else (len(shown) + 1) // 2  # there is less room beside it
        ax.legend(handles=[Patch(color=LANES[lane], label=f"{lane} {percent(share(phase, lane))}") for lane in shown],
                  loc="lower center", bbox_to_anchor=(0.5, 1), ncol=columns, fontsize=8.5, handlelength=1,
                  columnspacing=1.2)
    axes[0][0].set_yticks(range(len(shown) + 1), ["phase", *shown])
    axes[0][0].set_ylim(len(shown) + 0.6, -0.6)
    grid = data["grid"]
    figure.suptitle(f"Rank {data['rank']} of {data['ranks']} ({grid['rows']} x {grid['cols']} grid), "
                    f"n = {data['n']}, {data['scalar']}, tile {data['tile']}", fontsize=11)
    save(figure, args.out)


# ---- tessera-compare


def best_step(data, names, step):
    """The median seconds and the contender's name of the fastest at that step, or None."""
    steps = [(s["median_seconds"], c["name"], s) for c in data["contenders"] if c["name"] in names
             for s in c["steps"] if s["name"] == step]
    return min(steps, key=lambda s: s[0], default=None)


def machine(data):
    m = data["machine"]
    blas = " ".join(m["blas"].split()[:2])
    return f"{m['cpu']}, {count(m['cores'], 'core')}, {blas}, {m['mpi']}, {data['date'][:10]}, {data['commit'][:7]}"


def layout(data):
    threads = data["machine"].get("blas_threads", 0)
    return count(data["ranks"], "rank") + (f" x {count(threads, 'BLAS thread')}" if threads else "")


def title_of_step(step):
    kind, _, columns = step.partition(" ")
    return f"solve,\n{count(int(columns), 'right-hand side')}" if kind == "solve" and columns.isdigit() else step


def draw_compare(args):
    series = []
    for path in args.runs:
        data = load(path, "tessera-compare")
        ratios, others = {}, set()
        for step in (s["name"] for c in data["contenders"] if c["name"] == "Tessera" for s in c["steps"]):
            theirs = best_step(data, OTHERS, step)
            if theirs:
                ratios[step] = theirs[0] / best_step(data, ("Tessera",), step)[0]
                others.add(theirs[1])
        if ratios:
            series.append((f"{data['scalar']}, n = {data['n']}, {layout(data)}: {' and '.join(sorted(others))}",
                           ratios, data))
        else:
            print(f"plot.py: {path} has nothing to compare Tessera with", file=sys.stderr)
    if not series:
        raise Complaint("nothing to draw")
    plt = pyplot()

    if len(series) > len(BARS):
        raise Complaint(f"more than {len(BARS)} runs: their colours could not be told apart")
    steps = list(dict.fromkeys(step for _, ratios, _ in series for step in ratios))
    figure, ax = plt.subplots(figsize=(10, 4.4))
    labels = {i: label for i, (label, _, _) in enumerate(series)}
    top = 1.08 * max(1, *(ratio for _, ratios, _ in series for ratio in ratios.values()))
    left, ticks = 0, []
    for step in steps:
        here = [(i, ratios[step]) for i, (_, ratios, _) in enumerate(series) if step in ratios]
        for place, (i, ratio) in enumerate(here):
            ax.bar(left + place, ratio, width=0.86, color=BARS[i], label=labels.pop(i, None))
            above = 1 if 1 - 0.05 * top < ratio < 1 else ratio  # the line would go through it
            ax.text(left + place, above + 0.01 * top, f"{ratio:.2f}", ha="center", va="bottom", fontsize=8.5)
        ticks.append(left + (len(here) - 1) / 2)
        left += len(here) + 1
    ax.axhline(1, color=DARK, linewidth=1.2)
    ax.set_xlim(-1, left - 1)
    ax.set_ylim(0, top)
    ax.set_xticks(ticks, [title_of_step(step) for step in steps])
    ax.tick_params(axis="x", length=0)
    ax.grid(axis="y")
    ax.set_ylabel("times as fast as the best\nLAPACK or ScaLAPACK")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=2, fontsize=8.5)
    footnote(figure, machine(series[0][2]))
    save(figure, args.out)


def draw_growth(args):
    panels = {}
    for path in args.runs:
        data = load(path, "tessera-compare")
        lines = panels.setdefault((data["scalar"], data["ranks"]), {"data": data, "lines": {}})["lines"]
        for names, step in ((("Tessera",), "factorize"), (OTHERS, "factorize"), (("gemm",), "gemm")):
            fastest = best_step(data, names, step)
            if fastest:
                lines.setdefault(fastest[1], {})[data["n"]] = fastest[2]["gflops"]
    plt = pyplot()
    from matplotlib.ticker import NullLocator

    styles = {"gemm": (GREY, "^", "--", "gemm, square"), "LAPACK": (VERMILION, "s", "-", "LAPACK"),
              "ScaLAPACK": (VERMILION, "s", "-", "best ScaLAPACK"), "Tessera": (BLUE, "o", "-", "Tessera")}
    figure, axes = plt.subplots(1, len(panels), sharey=True, squeeze=False, figsize=(1 + 4.5 * len(panels), 3.8))
    for ax, ((scalar, _), panel) in zip(axes[0], sorted(panels.items())):
        for name, (color, marker, dashes, label) in styles.items():
            line = sorted(panel["lines"].get(name, {}).items())
            if line:
                ax.plot(*zip(*line), color=color, marker=marker, linestyle=dashes, markersize=5, label=label)
        sizes = sorted({n for line in panel["lines"].values() for n in line})
        ax.set_xscale("log")
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_ylim(bottom=0)
        ax.set_title(f"{scalar}, {layout(panel['data'])}", pad=22)
        ax.set_xlabel("n")
        ax.grid()
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=3, fontsize=8.5)
    axes[0][0].set_ylabel("GF/s of the factorisation")
    footnote(figure, machine(next(iter(panels.values()))["data"]))
    save(figure, args.out)


# ---- integer_accuracy_test


def draw_moduli(args):
    data = load(args.errors, "integer_accuracy_test")
    lines = data["lines"]
    scalars = list(dict.fromkeys(line["scalar"] for line in lines))
    sizes = sorted({line["n"] for line in lines})
    counts = sorted({line["moduli"] for line in lines if line["moduli"] > 0})
    native = counts[-1] + 1  # a place behind the numbers of moduli
    plt = pyplot()

    figure, axes = plt.subplots(len(scalars), len(sizes), sharex=True, sharey="row", squeeze=False,
                                figsize=(10, 0.6 + 3.4 * len(scalars)))
    for row, scalar in zip(axes, scalars):
        for ax, n in zip(row, sizes):
            here = [line for line in lines if line["scalar"] == scalar and line["n"] == n]
            matrices = list(dict.fromkeys(line["matrix"] for line in here))
            for matrix, color, marker in zip(matrices, BARS + (GREY, DARK), "os^vDPX<>"):
                errors = {line["moduli"] or native: line["error"] for line in here if line["matrix"] == matrix}
                known = [count for count in counts if errors[count] is not None]
                ax.plot(known, [errors[count] for count in known], color=color, marker=marker, markersize=4,
                        linewidth=1, label=matrix)
                ax.plot(native, errors[native], color=color, marker=marker, markersize=4)
            bounds = {line["moduli"]: line["bound"] for line in here}
            ax.plot(counts, [bounds[count] for count in counts], color=DARK, linestyle="--",
                    label=r"bound, $2 \cdot 2^{-b} \sqrt{n}$")
            default = here[0]["default"]
            ax.axvline(default, color=GREY, linewidth=5, alpha=0.5, zorder=0, label="default number")
            ax.set_yscale("log")
            ax.set_ylim(bottom=0.3, top=2 * bounds[counts[0]])
            ax.set_xticks([*counts, native], [*map(str, counts), "native"])
            ax.set_title(f"{scalar}, n = {n}")
            ax.grid()
        row[0].set_ylabel("largest error, in units of u")
    for ax in axes[-1]:
        ax.set_xlabel("moduli")
    axes[0][0].legend(loc="upper right", ncol=2, fontsize=7)  # above what falls
    footnote(figure, "|A - L L^H|(i, j) / sqrt(A(i, i) A(j, j)), computed in long double; "
                     f"{data['date'][:10]}, {data['commit'][:7]}")
    save(figure, args.out)


# ---- the command line


def run(prog, description, commands):
    """Does what the command line says. Each of `commands`, by name: what draws it, what it shows, and of its input the
    name, how many there may be, and which program writes it."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    subparsers = parser.add_subparsers(required=True, metavar="WHAT")
    for name, (draw, shows, kind, nargs, source) in commands.items():
        command = subparsers.add_parser(name, help=shows)
        command.set_defaults(draw=draw)
        command.add_argument(kind + ("s" if nargs else ""), nargs=nargs, metavar=f"{kind.upper()}.json",
                             help=f"from {source}")
        command.add_argument("out", metavar="OUT.png")
    args = parser.parse_args()
    try:
        args.draw(args)
    except Complaint as e:
        sys.exit(f"{prog}: {e}")


if __name__ == "__main__":
    run("plot.py", __doc__, {
        "timeline": (draw_timeline, "where one rank was in factorize and solve", "timeline", None,
                     "tessera-solve --timeline"),
        "compare": (draw_compare, "how many times as fast as LAPACK or ScaLAPACK each step is", "run", "+",
                    "tessera-compare --json"),
        "growth": (draw_growth, "GF/s of the factorisation against n", "run", "+", "tessera-compare --json"),
        "moduli": (draw_moduli, "the error of factors against the number of moduli", "errors", None,
                   "perf/measure_moduli.sh"),
    })

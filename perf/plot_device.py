#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws what tessera-compare-device --json and --timeline have written, as PNG."""

import math

from plot import (BARS, BLUE, DARK, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, Complaint, bars, best_step, footnote,
                  load, percent, pyplot, run, save, title_of_step)

KINDS = {"gemm": BLUE, "potrf": VERMILION, "trsm": ORANGE, "inverses": PURPLE, "solve": GREEN, "copies": SKY,
         "other": GREY}
PARTS = {"potrf_kernel": "potrf", "trsm_kernel": "trsm", "invert": "inverses", "Invert": "inverses",
         "substitution_kernel": "solve", "gemv": "solve", "dot_kernel": "solve", "reduce_1Block": "solve", "gemm": "gemm",
         "copy": "copies", "Copy<": "copies", "Transpose<": "copies", "Add<": "copies"}


def made_with(data):
    m = data["machine"]
    return f"{m['card']}, Kokkos {m['kokkos']}, CUDA {m['cuda']}, {data['date'][:10]}, {data['commit'][:7]}"


# ---- beside cuSOLVER


def draw_compare(args):
    runs = [load(path, "tessera-compare-device") for path in args.runs]
    if len({run["scalar"] for run in runs}) > 1:
        raise Complaint("the runs are of different scalars")
    rates, ratios, others = {"cuSOLVER": {}, "Tessera": {}}, {}, set()
    for size in (size for run in runs for size in run["sizes"]):
        for name, line in rates.items():
            fastest = best_step(size, (name,), "factorize")
            if fastest:
                line[size["n"]] = fastest[2]["gflops"] / 1000
        for step in (s["name"] for c in size["contenders"] if c["name"] == "Tessera" for s in c["steps"]):
            theirs = best_step(size, ("cuSOLVER", "cuBLAS"), step)
            if theirs and step != "factorize":
                others.update(c["name"] for c in size["contenders"] if c["name"] in ("cuSOLVER", "cuBLAS"))
                ratio = theirs[0] / best_step(size, ("Tessera",), step)[0]
                ratios.setdefault(title_of_step(step).split("\n")[-1], {})[size["n"]] = ratio
    if not ratios:
        raise Complaint("nothing to compare Tessera with")
    plt = pyplot()
    from matplotlib.ticker import NullLocator

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    for (name, line), color, marker in zip(rates.items(), (VERMILION, BLUE), "so"):
        left.plot(*zip(*sorted(line.items())), color=color, marker=marker, markersize=5, label=name)
    for (name, line), color, marker in zip(ratios.items(), BARS, "o^sDvPX"):
        right.plot(*zip(*sorted(line.items())), color=color, marker=marker, markersize=5, label=name)
    right.axhline(1, color=DARK, linewidth=1.2)
    left.set_ylabel("TF/s of the factorisation")
    right.set_ylabel("solves: times as fast as\n" + " or ".join(sorted(others)))
    sizes = sorted({size["n"] for run in runs for size in run["sizes"]})
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_ylim(bottom=0)
        ax.set_xlabel("n")
        ax.grid()
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=3, fontsize=8.5)
    footnote(figure, f"{runs[0]['scalar']}, {made_with(runs[0])}")
    save(figure, args.out)


# ---- on several GPUs


def draw_scaling(args):
    lines = {}
    for path in args.runs:
        data = load(path, "tessera-compare-device")
        for size in data["sizes"]:
            fastest = best_step(size, ("Tessera",), "factorize")
            if fastest:
                best = lines.setdefault((data["scalar"], size["n"]), {})
                gflops = fastest[2]["gflops"]
                if gflops > best.get(data["ranks"], (0,))[0]:
                    best[data["ranks"]] = (gflops, " x ".join(map(str, data["grid"])))
    lines = {key: line for key, line in lines.items() if 1 in line and len(line) > 1}
    if not lines:
        raise Complaint("nothing to compare: no n on one GPU and on several")
    plt = pyplot()
    figure, ax = plt.subplots(figsize=(6.5, 4))
    ranks = sorted({r for line in lines.values() for r in line})
    for ((scalar, n), line), color, marker in zip(sorted(lines.items()), BARS, "o^sDvPX"):
        gpus = sorted(line)
        ax.plot(gpus, [line[r][0] / 1000 for r in gpus], color=color, marker=marker, markersize=5,
                label=f"n = {n}, {scalar}")
        for r in gpus[1:]:
            gflops, grid = line[r]
            ax.annotate(f"{percent(gflops / (r * line[1][0]))} ({grid})", (r, gflops / 1000), fontsize=7.5,
                        textcoords="offset points", xytext=(-4, -10), ha="right")
    most = max(line[1][0] for line in lines.values()) / 1000
    ax.plot(ranks, [most * r for r in ranks], color=GREY, linestyle="--", label="as many times one GPU")
    ax.set_xticks(ranks)
    ax.set_xlabel("GPUs")
    ax.set_ylabel("TF/s of the factorisation")
    ax.set_ylim(bottom=0)
    ax.grid()
    ax.legend(fontsize=8.5)
    footnote(figure, made_with(data))
    save(figure, args.out)


# ---- what one GPU did


def kind_of(name):
    return next((kind for part, kind in PARTS.items() if part in name), "other")


def lane_name(spans, has_kernels):
    """Of the work in one stream."""
    if "potrf" in spans:
        return "panels"
    return "updates" if "gemm" in spans else "packing" if has_kernels else "MPI's copies"


def draw_timeline(args):
    data = load(args.timeline, "tessera-compare-device --timeline")
    streams = {}
    with_kernels = set()
    for name, stream, begin, end in data["events"]:
        kind = kind_of(data["names"][name])
        streams.setdefault(stream, {}).setdefault(kind, []).append((begin, end))
        if data["names"][name] != "copy":
            with_kernels.add(stream)
    if not streams:
        raise Complaint(f"{args.timeline} has no kernels")
    length = max(end for spans in streams.values() for intervals in spans.values() for _, end in intervals)

    def busy(spans):
        return sum(width for _, width in bars(sorted(i for intervals in spans.values() for i in intervals), 0))

    order = sorted(streams.items(), key=lambda item: busy(item[1]), reverse=True)[:4]
    lanes = [f"{lane_name(spans, stream in with_kernels)} {percent(busy(spans) / length)}" for stream, spans in order]
    order = [spans for _, spans in order]
    plt = pyplot()
    from matplotlib.patches import Patch

    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(10, 0.9 + 0.5 * len(order)),
                                gridspec_kw={"width_ratios": [1.7, 1]})
    windows = ((0, length), (0.3 * length, 0.3 * length + min(length, 6 * length / math.sqrt(data["n"]))))
    unit, name = (1, "s") if length >= 1 else (1e3, "ms")
    for ax, (first, last) in zip(axes, windows):
        least = (last - first) / 2000
        for row, spans in enumerate(order):
            for kind, intervals in spans.items():
                inside = [(b, e) for b, e in intervals if e > first and b < last]
                ax.broken_barh([(b * unit, w * unit) for b, w in bars(inside, least)], (row - 0.4, 0.8),
                               color=KINDS[kind], linewidth=0, snap=False)
        ax.set_xlim(first * unit, last * unit)
        ax.set_xlabel(f"{name} since the factorisation began")
        ax.grid(axis="x")
        ax.tick_params(axis="y", length=0)
    kinds = [kind for kind in KINDS if any(kind in spans for spans in order)]
    axes[0].legend(handles=[Patch(color=KINDS[kind], label=kind) for kind in kinds], loc="lower center",
                   bbox_to_anchor=(0.5, 1), ncol=len(kinds), fontsize=8.5, handlelength=1, columnspacing=1.2)
    axes[0].set_yticks(range(len(order)), lanes)
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    axes[1].set_title("a part of it", fontsize=8.5)
    grid = " x ".join(map(str, data["grid"]))
    footnote(figure, f"Rank {data['rank']} of {data['ranks']} ({grid} grid), n = {data['n']}, {data['scalar']}, "
                     f"{made_with(data)}")
    save(figure, args.out)


if __name__ == "__main__":
    run("plot_device.py", __doc__, {
        "compare": (draw_compare, "beside cuSOLVER, against n", "run", "+", "tessera-compare-device --json"),
        "scaling": (draw_scaling, "the best factorisation of each n, against the number of GPUs", "run", "+",
                    "tessera-compare-device --json"),
        "timeline": (draw_timeline, "what one GPU did, instance by instance", "timeline", None,
                     "tessera-compare-device --timeline"),
    })

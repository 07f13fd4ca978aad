#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws what gaussian_process --json has written, as PNG: the carbon dioxide and its prediction, of a run with --co2
and --points; or seconds against n, of runs with --times, of scikit_learn.py, too."""

import argparse
import json
import math
import sys

# Okabe and Ito's colours, which the colour-blind tell apart.
BLUE, ORANGE, GREEN, GREY, DARK = "#0072B2", "#D55E00", "#009E73", "#BBBBBB", "#444444"


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            run = json.load(file)
    except (OSError, ValueError) as e:
        sys.exit(f"plot.py: {path}: {e}")
    if "prediction" not in run and "times" not in run:
        sys.exit(f"plot.py: {path} has neither a prediction nor times")
    return run


def pyplot():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({
        "font.size": 9, "axes.titlesize": 10, "axes.edgecolor": DARK, "axes.spines.top": False,
        "axes.spines.right": False, "axes.axisbelow": True, "grid.color": "#E4E4E4", "grid.linewidth": 0.7,
        "legend.frameon": False, "savefig.dpi": 100, "figure.constrained_layout.use": True,
    })
    return plt


def draw_prediction(axes, run, first_year, with_sample=False):
    offset, record, prediction = run["offset"], run["record"], run["prediction"]
    years = prediction["year"]
    mean = [offset + m for m in prediction["mean"]]
    deviation = [1.96 * math.sqrt(v) for v in prediction["variance"]]
    shown = [i for i, year in enumerate(years) if year >= first_year]

    def at(values):
        return [values[i] for i in shown]

    lower, upper = ([m + sign * d for m, d in zip(mean, deviation)] for sign in (-1, 1))
    axes.fill_between(at(years), at(lower), at(upper), color=GREY, alpha=0.7, linewidth=0, label="95 % band")
    axes.plot(at(years), at(mean), color=BLUE, linewidth=0.8, label="prediction")
    if with_sample and prediction["samples"]:  # the first one
        axes.plot(at(years), at([offset + s for s in prediction["samples"][:len(years)]]), color=GREEN, linewidth=0.5,
                  label="a sample")
    for label, colour, part in (("learned from", DARK, slice(None, record["learned"])),
                                ("held out", ORANGE, slice(record["learned"], None))):
        points = [(y, offset + c) for y, c in zip(record["year"][part], record["ppm"][part]) if y >= first_year]
        if points:
            axes.plot(*zip(*points), color=colour, marker=".", markersize=1.8, linestyle="", label=label)
    axes.set_xlabel("year")
    axes.grid()


def draw_co2(plt, run):
    figure, (all_years, last_years) = plt.subplots(1, 2, figsize=(9, 3.3))
    record = run["record"]
    draw_prediction(all_years, run, record["year"][0])
    draw_prediction(last_years, run, record["year"][record["learned"] - 1] - 3, with_sample=True)
    all_years.set_ylabel("carbon dioxide over Mauna Loa, ppm")
    last_years.legend(fontsize=8.5, markerscale=4)
    return figure


def draw_times(plt, runs):
    figure, axes = plt.subplots(figsize=(5, 3.3))
    for run in runs:
        ns = [t["n"] for t in run["times"]]
        if run["program"] == "gaussian_process":
            for label, colour, numbers in (
                    ("with its gradient", BLUE, [t["log_likelihood"] + t["gradient"] for t in run["times"]]),
                    ("log-likelihood", GREEN, [t["log_likelihood"] for t in run["times"]])):
                ranks = "1 rank" if run["ranks"] == 1 else f"{run['ranks']} ranks"
                axes.plot(ns, numbers, color=colour, marker="o", markersize=3.5, linewidth=1, label=f"{label}, {ranks}")
        else:
            axes.plot(ns, [t["both"] for t in run["times"]], color=ORANGE, marker="s", markersize=3.5, linewidth=1,
                      label="with its gradient, scikit-learn")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(ns, [str(n) for n in ns])
    axes.set_xlabel("n")
    axes.set_ylabel("seconds")
    axes.grid()
    axes.legend(fontsize=8.5)
    return figure


def main():
    parser = argparse.ArgumentParser(prog="plot.py", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN.json", help="from gaussian_process --json")
    parser.add_argument("out", metavar="OUT.png")
    args = parser.parse_args()
    runs = [load(path) for path in args.runs]
    plt = pyplot()
    figure = draw_co2(plt, runs[0]) if "prediction" in runs[0] else draw_times(plt, runs)
    figure.savefig(args.out, format="png", pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()

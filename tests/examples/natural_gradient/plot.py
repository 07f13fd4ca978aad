#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws what natural_gradient --json has written, one file or several, beside the exact ground state, as PNG."""

import argparse
import json
import sys

# Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
GREY, DARK = "#BBBBBB", "#444444"

# NetKet's exact relative errors on 20 sites, J = h = 1, real, with the same settings: the range of its seeds 0 to 9.
NETKET = {50: (1.20e-3, 1.73e-3), 100: (2.17e-4, 2.92e-4), 200: (8.0e-5, 11.6e-5), 300: (6.8e-5, 9.7e-5)}


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            run, *steps = (json.loads(line) for line in file)
    except (OSError, ValueError) as e:
        sys.exit(f"plot.py: {path}: {e}")
    if run.get("program") != "natural_gradient" or not steps:
        sys.exit(f"plot.py: {path} is not from natural_gradient --json")
    return run, steps


def repeats_netket(run):
    return (run["sites"], run["coupling"], run["field"], run["parameters"]) == (20, 1, 1, "real")


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


def draw(runs, out):
    plt = pyplot()
    figure, (energy, error) = plt.subplots(1, 2, figsize=(9, 3.3))
    for colour, (run, steps) in zip(COLOURS, runs):
        ground, sites = run["ground_energy"], run["sites"]
        label = f"{run['parameters']}, {run['form']}, seed {run['seed']}"
        at = [s["step"] for s in steps]
        energy.plot(at, [s["energy"] / sites for s in steps], color=colour, linewidth=0.8)
        exact = [(s["step"], abs(s["exact_energy"] / ground - 1)) for s in steps if "exact_energy" in s]
        if exact:
            error.plot(*zip(*exact), color=colour, marker="o", markersize=3.5, linewidth=1, label=label)
        else:
            error.plot(at, [abs(s["energy"] / ground - 1) for s in steps], color=colour, linewidth=0.5,
                       label=f"{label}, sampled")
    first = runs[0][0]
    energy.axhline(first["ground_energy"] / first["sites"], color=DARK, linewidth=1, linestyle="--", label="exact ground state")
    if any(repeats_netket(run) for run, _ in runs):
        for i, (step, (least, most)) in enumerate(NETKET.items()):
            error.plot([step, step], [least, most], color=GREY, linewidth=14, solid_capstyle="butt", zorder=1,
                       label=None if i else "NetKet, real, seeds 0 to 9")
    for axes in (energy, error):
        axes.set_xlabel("step")
        axes.grid()
    energy.set_ylabel("energy per site, sampled")
    error.set_ylabel("relative error of the energy,\nsummed over all states")
    error.set_yscale("log")
    energy.legend(fontsize=8.5)
    error.legend(fontsize=8.5)
    figure.supxlabel(f"{first['sites']} spins, coupling {first['coupling']:g}, field {first['field']:g}; "
                     f"{first['samples']} samples a step", fontsize=7.5, color="#666666")
    figure.savefig(out, format="png", pil_kwargs={"optimize": True})


def main():
    parser = argparse.ArgumentParser(prog="plot.py", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN.json", help="from natural_gradient --json")
    parser.add_argument("out", metavar="OUT.png")
    args = parser.parse_args()
    if len(args.runs) > len(COLOURS):
        sys.exit(f"plot.py: more than {len(COLOURS)} runs: their colours could not be told apart")
    draw([load(path) for path in args.runs], args.out)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""What the pages show of perf/results, measured on GPUs: see figures_of_pages.py."""

import re

from figures_of_pages import (CARD, SCALARS, SCALING, SMALL_CARD, below, cell, faster, measured, place, ratio,
                              scalar, share, table, title, words)


def device_machine(results):
    runs = results.get(f"{CARD}-double", f"{CARD}-double-65536")
    m = runs[0]["machine"]
    return (f"{m['card']}, Kokkos {m['kokkos']}, CUDA {m['cuda']}, medians of {words(runs[0]['repetitions'], 'run')} "
            f"(n = 65536: {runs[1]['repetitions']}), {measured(runs)}.")


def device_ratios(results):
    runs = results.runs(f"{CARD}-double", f"{CARD}-double-65536")
    steps = dict.fromkeys(step for run in runs for step in run.steps())
    rows = [[title(step), *(cell(run, step) for run in runs)] for step in steps]
    return table(["n", *(str(run["n"]) for run in runs)], rows)


def device_scalars(results):
    runs = results.runs(f"{CARD}-float", f"{CARD}-complex-float", f"{CARD}-complex-double")
    steps = dict.fromkeys(step for run in runs for step in run.steps())
    rows = [[title(step), *(cell(run, step) for run in runs)] for step in steps]
    return table([f"n = {runs[0]['n']}", *(scalar(run) for run in runs)], rows)


def device_faster(results):
    return faster(results.compared(CARD) + results.compared(SMALL_CARD))


def small_runs(results, scalar_of):
    return results.runs(f"{SMALL_CARD}-small-{scalar_of}")


def small_machine(results):
    files = results.get(*(f"{SMALL_CARD}-small-{kind}" for kind in SCALARS))
    m = files[0]["machine"]
    return (f"{m['card']}, Kokkos {m['kokkos']}, CUDA {m['cuda']}, medians of {words(files[0]['repetitions'], 'run')}, "
            f"{measured(files)}.")


def small_ratios(results):
    sizes = [str(run["n"]) for run in small_runs(results, "double")]
    rows = [["factorise, " + kind.replace("-", " "), *(cell(run, "factorize") for run in small_runs(results, kind))]
            for kind in SCALARS]
    return table(["n", *sizes], rows)


def small_calls(results):
    sizes = [str(run["n"]) for run in small_runs(results, "double")]
    rows = [[kind.replace("-", " "), *(ratio(run.call_over_pieces()) for run in small_runs(results, kind))]
            for kind in SCALARS]
    return table(["n", *sizes], rows)


def small_jax(results):
    runs = results.runs(f"{SMALL_CARD}-small-jax")
    return table(["n", *(str(run["n"]) for run in runs)],
                 [["`cho_factor`, `cho_solve` over the whole call", *(ratio(run.ratio("one call")) for run in runs)]])


def small_two(results):
    def milliseconds(runs):
        return [f"{run.seconds(('cholesky_distributed',), 'one call') * 1e3:.2f}" for run in runs]

    one, two = results.runs(f"{SMALL_CARD}-small-alone"), results.runs(f"{SMALL_CARD}-small-two")
    return table(["n", *(str(run["n"]) for run in one)],
                 [["one card", *milliseconds(one)], ["two cards", *milliseconds(two)]])


def device_inverse(results):
    runs = results.runs(f"{SMALL_CARD}-inverse")
    rows = [["factorise and invert, Xpotrf and potri over Tessera's",
             *(ratio(sum(run.seconds(("cuSOLVER",), step) for step in ("factorize", "invert")) /
                     sum(run.seconds(("Tessera",), step) for step in ("factorize", "invert"))) for run in runs)]]
    rows += [[f"`{step}` over `factorize`, Tessera's",
              *(ratio(run.seconds(("Tessera",), step) / run.seconds(("Tessera",), "factorize")) for run in runs)]
             for step in ("invert", "inverse_diagonal")]
    return table(["n", *(str(run["n"]) for run in runs)], rows)


def device_call(results):
    """One call, memory and what only fits as a triangle."""
    waits = [f"{ratio(run.call_over_pieces())} times as long at n = {run['n']}"
             for run in results.runs(f"{CARD}-double") if run["n"] in (8192, 32768)]
    text = [f"Beside factorise and solve alone, the whole call takes {', '.join(waits)} (lower is better; 1 is the "
            "limit)."]
    rates = [f"{ratio(run.of_gemm('factorize'))} at n = {run['n']}" for run in
             results.runs(f"{CARD}-double", f"{CARD}-double-65536") if run.of_gemm("factorize") and run["n"] >= 8192]
    if rates:
        text.append(f"The factorisation runs at these shares of gemm's rate: {', '.join(rates)} (higher is better).")
    for plan in results.get(f"{CARD}-plan-65536"):
        text.append(f"At n = {plan['n']} all memory together is {share(plan, plan['total_bytes'])} of a full matrix "
                    "(lower is better).")
    for solve in results.get(f"{CARD}-solve-131072"):
        text.append(f"A system of n = {solve['n']}, filled by a functor, fits on the one card and takes "
                    f"{sum(solve['seconds'].values()):.0f} s (lower is better), {measured([solve])}.")
    return " ".join(text)


def device_integers(results):
    """Each factorisation, and each whole call, by integers: beside native products and beside the others."""
    files = [name for card in (CARD, SMALL_CARD) for name in results.named(f"{card}-integers")]
    runs = sorted(results.runs(*files), key=lambda run: (run["machine"]["card"], run["ranks"],
                                                         run.data.get("parameters", 0) > 0,
                                                         SCALARS.index(run["scalar"]), run["n"]))
    rows = []
    for run in runs:
        for name in (c["name"] for c in run["contenders"] if ", by integers" in c["name"]):
            native, _, moduli = name.partition(", by integers")
            moduli = re.sub(r"\d+ columns in (\d+) bytes",
                            lambda m: f"in {share(run, int(m[1]))} of a full matrix's memory", moduli)
            for step in ("factorize", "one call", "assemble"):
                ours, theirs = run.seconds((name,), step), run.seconds(("cuSOLVER", "jaxmg"), step)
                if not ours:
                    continue
                errors = [run.error((who,)) for who in (name, "cuSOLVER")]
                rows.append([f"{title(step)}, {scalar(run)}{moduli}, n = {run['n']}, {place(run)}",
                             ratio(run.seconds((native,), step) / ours),
                             f"{run.other(step)}: {ratio(theirs / ours)}" if theirs else "", f"{ours:.3g}",
                             " and ".join(f"{error:.1e}" for error in errors if error)])
    text = (f"Products of integers, {measured([run.data for run in runs])} (ratios: higher is better; seconds and "
            "errors: lower is better)." if rows else "")
    for plan in (data for data in results.get(*files) if "total_bytes" in data):
        text += (f" At n = {plan['n']} all memory together is {share(plan, plan['total_bytes'])} of a full matrix "
                 "(lower is better).")
    return below(text, table(["", "native time over this one", "the other's time over this one", "seconds",
                              "backward error, this and cuSOLVER's"], rows))


def device_gram(results):
    text = []
    runs = results.runs(f"{CARD}-gram-1", f"{CARD}-gram-2")
    for run in runs:
        seconds = run.seconds(("Tessera",), "assemble and solve")
        share_of = run.of_gemm("assemble")
        rate = f"; the assembly runs at {ratio(share_of)} of gemm's rate" if share_of else ""
        text.append(f"{seconds:.2f} s on {place(run)} ({run['parameters']} parameters, n = {run['n']}, "
                    f"{measured([run.data])}){rate}.")
    for jax in results.runs(f"{CARD}-gram-jax"):
        theirs = jax.seconds(("jax",), "assemble and solve")
        text.append(f"The same step in jax (`J @ J.T`, `cho_factor`, `cho_solve`) takes {theirs:.2f} s on one card, a "
                    f"ratio of {ratio(theirs / runs[0].seconds(('Tessera',), 'assemble and solve'))} (higher is better).")
    return "A natural-gradient step, `J J^T` and one solve, in double, takes (lower is better) " + " ".join(text)


def two_devices(results):
    one = results.runs(f"{CARD}-double", f"{CARD}-double-65536")
    wide = results.runs(f"{CARD}-1x2", f"{CARD}-weak-2")
    tall = results.runs(f"{CARD}-2x1", f"{CARD}-weak-2")

    def row(name, runs, grid, step):
        cells = []
        for n in SCALING:
            found = [run.seconds(("Tessera", "cholesky_distributed"), step) for run in runs
                     if run["n"] == n and run["grid"] == grid]
            cells.append(f"{found[0]:.3g}" if found else "")
        return [name, *cells]

    rows = [row("factorise, one GPU", one, [1, 1], "factorize"),
            row("factorise, two, grid 1 x 2", wide, [1, 2], "factorize"),
            row("factorise, two, grid 2 x 1", tall, [2, 1], "factorize"),
            row("whole call, two, grid 2 x 1", tall, [2, 1], "one call")]
    return table(["n", *map(str, SCALING)], rows)


def two_devices_machine(results):
    one = results.get(f"{CARD}-double", f"{CARD}-double-65536")
    two = results.get(f"{CARD}-1x2", f"{CARD}-2x1", f"{CARD}-weak-2")
    return (f"Two cards with NVLink, one rank each, with messages from device memory, {measured(two)}. The times of one "
            f"GPU beside them were {measured(one)}.")


def staged_times(results):
    staged = results.runs(f"{CARD}-staged-2")[0]
    direct = next(run for run in results.runs(f"{CARD}-2x1") if run["n"] == staged["n"])
    calls = [run.seconds(("cholesky_distributed",), "one call") for run in (staged, direct)]
    return staged["n"], calls[0] / calls[1]


def staged(results):
    n, times = staged_times(results)
    return (f"If messages are staged in host memory, the whole call at n = {n} takes {times:.1f} times as long. "
            "Timelines of one of the two cards: [grid 1 x 2](results/h100-1x2-timeline.png) and "
            "[grid 2 x 1](results/h100-2x1-timeline.png).")


def staged_words(results):
    n, times = staged_times(results)
    return f"at n = {n} on two GPUs a call takes {times:.0f} times as long"


def jaxmg(results):
    runs = results.runs(f"{CARD}-jaxmg-1", f"{CARD}-jaxmg-2")
    rows = [[f"whole call, {place(run)}, n = {run['n']}", ratio(run.ratio("one call"))] for run in runs]
    return table(["", "ratio"], rows)


def jaxmg_machine(results):
    files = results.get(f"{CARD}-jaxmg-1", f"{CARD}-jaxmg-2")
    m = files[0]["machine"]
    return f"`jaxmg.potrs` {m['jaxmg']}, which calls cuSOLVERMp, in double, {measured(files)}. Ratios, higher is better:"

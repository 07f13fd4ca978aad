# SPDX-License-Identifier: BSD-3-Clause
"""What the pages show of perf/results: each function here makes what stands between <!-- figures: NAME --> comments."""

import re

CARD = "h100"
SMALL_CARD = "h200"
SCALARS = ("double", "float", "complex-double", "complex-float")
SCALING = (16384, 32768, 65536, 92681)


def words(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def table(head, rows):
    """In Markdown; nothing without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("".join(f"| {cell} " if cell else "| " for cell in cells) + "|" for cells in lines)


def below(text, rows):
    """A table with what is said of it, or nothing."""
    return text + "\n\n" + rows if rows else ""


def title(step):
    kind, _, columns = step.partition(" ")
    if kind == "solve":
        return "solve, " + words(int(columns), "right-hand side")
    return {"factorize": "factorise", "one call": "whole call", "assemble": "Gram matrix, assembly",
            "assemble and solve": "Gram matrix, assembly and solve"}[step]


def place(run):
    cards = run["machine"].get("card")
    if not cards:
        return words(run["ranks"], "rank")
    return {1: "one", 2: "two"}.get(run["ranks"], str(run["ranks"])) + " " + cards.split()[1]


def ratio(number):
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def scalar(run):
    return run["scalar"].replace("-", " ")


def cell(run, step):
    return ratio(run.ratio(step)) if run.ratio(step) else ""


def measured(files):
    """When, and of which version."""
    days = sorted({f["date"][:10] for f in files})
    commits = list(dict.fromkeys(f["commit"][:7] for f in files))
    return f"measured on {' and '.join(days)} (commit {', '.join(commits)})"


# ---- README.md


def overview(results):
    """Ratios by step and by who is compared, each with the lowest one of all n and scalars behind it."""
    n_of = {"assemble and solve": 4000}
    columns = [("LAPACK, 1 rank", results.compared(), ("LAPACK",), 1, 8000),
               ("ScaLAPACK, 2 ranks", results.compared(), ("ScaLAPACK",), 2, 8000),
               ("cuSOLVER or cuBLAS, one H100", results.compared(CARD), ("cuSOLVER", "cuBLAS"), 1, 32768)]
    rows = []
    for step in "factorize", "solve 1", "solve 256", "assemble and solve":
        cells = []
        for _, runs, others, ranks, n in columns:
            here = [run for run in runs if run["ranks"] == ranks and run.ratio(step, others)]
            shown = [run.ratio(step, others) for run in here
                     if run["n"] == n_of.get(step, n) and run["scalar"] == "double"]
            lowest = min((run.ratio(step, others) for run in here), default=0)
            cells.append(ratio(shown[0]) + ("" if len(here) == 1 else f" ({ratio(lowest)})") if shown else "")
        rows.append([title(step), *cells])
    text = (f"n = {columns[0][-1]} (Gram matrix: n = {n_of['assemble and solve']}) on the host, {columns[2][-1]} on the "
            "GPU; in parentheses the lowest ratio of all n and scalars.")
    for run in results.runs(f"{CARD}-jaxmg-2")[-1:]:
        text += (f" A whole call on {place(run)}, n = {run['n']}: {ratio(run.ratio('one call'))} beside `jaxmg.potrs`.")
    return table(["ratio", *(name for name, *_ in columns)], rows) + "\n\n" + text


def gemm_words(results):
    """The orders of the products that gemm's rate is of."""
    found = []
    for place_of_it, runs in (" on the host", results.runs("double-1")), (" on a GPU", results.runs(f"{CARD}-double")):
        details = [c["detail"] for run in runs for c in run["contenders"] if c["name"] == "gemm"]
        found += [re.search(r"n = \d+", detail)[0] + place_of_it for detail in details[:1]]
    return f" ({', '.join(found)})"


# ---- two CPU cores


def host_machine(results):
    runs = results.get("double-1", "double-2")
    m = runs[0]["machine"]
    blas = " ".join(m["blas"].split()[:2])
    kernels = m["blas"].split()[-2]
    complex_runs = "".join(f" (complex: {run['repetitions']})" for run in results.get("complex-double-1"))
    return (f"{m['cpu']}, {words(m['cores'], 'core')}, {blas} (kernels: {kernels}), {m['mpi']}; n = {runs[0]['n']}, "
            f"medians of {words(runs[0]['repetitions'], 'run')}{complex_runs}, {measured(runs)}.")


def host_rates(results):
    """What the limits are: gemm's rate, and the pieces alone."""
    text = []
    runs = results.runs("double-1", "double-2")
    rates = [f"{ratio(run.of_gemm('factorize'))} on {place(run)}" for run in runs if run.of_gemm("factorize")]
    if rates:
        text.append(f"In double the factorisation runs at these shares of gemm's rate: {' and '.join(rates)} (higher is "
                    "better; 1 is the limit).")
    waits = " and ".join(f"{ratio(run.call_over_pieces())} on {place(run)}" for run in runs)
    text.append(f"A user of `cholesky_distributed` waits so many times as long as for factorise and solve alone: {waits} "
                "(lower is better; 1 is the limit).")
    return " ".join(text)


def growth_runs_words(results):
    fewer = " and ".join(f"{words(run['repetitions'], 'run')} on {place(run)}"
                         for run in results.get("double-1-n12000", "double-2-n12000"))
    return f"At n = 12000 there were {fewer}."


def faster(runs):
    """Every case in which somebody else is faster, the worst ones first."""
    rows = sorted((run.ratio(step), [f"{title(step)}, {scalar(run)}, n = {run['n']}, {place(run)}", run.other(step),
                                     ratio(run.ratio(step))])
                  for run in runs for step in run.steps() if round(run.ratio(step), 2) < 1)
    return table(["", "compared with", "ratio"], [cells for _, cells in rows])


def host_faster(results):
    return faster(results.compared())


def host_pages(results):
    """What large pages give to the others."""
    rows = []
    for run in results.compared():
        for name in "LAPACK", "ScaLAPACK":
            for step in run.steps():
                best = {}
                for c in run["contenders"]:
                    for pages in "default pages", "large pages":
                        if c["name"] == name and c["detail"].endswith(pages):
                            best[pages] = min(best.get(pages, 1e9), *(s["median_seconds"] for s in c["steps"]
                                                                      if s["name"] == step))
                if len(best) == 2 and step in ("factorize", "assemble") and run["n"] in (4000, 8000):
                    rows.append([f"{title(step)}, {scalar(run)}, n = {run['n']}, {place(run)}", name,
                                 ratio(best["default pages"] / best["large pages"])])
    return below("What large pages give to the others (higher is better):",
                 table(["", "whose arrays", "time with default pages over time with large pages"], rows))


def tile_rows(results):
    rows = []
    for run in results.runs("tiles-1", "tiles-2"):
        ours = [c for c in run["contenders"] if c["name"] == "Tessera"]
        seconds = [next(s["median_seconds"] for s in c["steps"] if s["name"] == "factorize") for c in ours]
        for c, s in list(zip(ours, seconds))[1:]:
            rows.append([f"{place(run)}, n = {run['n']}", ours[0]["detail"].split("tile ")[1],
                         c["detail"].split("tile ")[1], ratio(seconds[0] / s)])
    return rows


def tiles(results):
    return below("Other tiles than the default (ratios, higher is better; 1 is the default's speed):",
                 table(["", "default tile", "tile", "default's time over this one's"], tile_rows(results)))


def tiles_guide(results):
    """Where a tile costs more than 2 %."""
    slow = [f"{speed} of the default's speed with a tile of {tile} on {where}"
            for where, _, tile, speed in tile_rows(results) if float(speed) < 0.98]
    return ("On the host another tile than the default can be slower, as a diagonal tile is factored in one piece: "
            f"{', '.join(slow)}. Choose one only where the distribution must be another library's." if slow else "")


def gram_host(results):
    rows = [[title(step) + f", {place(run)}", run.other(step), ratio(run.ratio(step))]
            for run in results.runs("gram-2", "gram-1", "gram-numpy") for step in run.steps()]
    return table(["", "compared with", "ratio"], rows)


def gram_machine(results):
    runs = results.get("gram-1", "gram-2", "gram-numpy")
    return (f"`J J^T` of {runs[0]['n']} samples of {runs[0]['parameters']} parameters in double, and one solve, on the "
            f"same cores, {measured(runs)}. Ratios, higher is better:")


def gram_rates(results):
    runs = results.runs("gram-1", "gram-2")
    ours = [f"{ratio(run.of_gemm('assemble'))} on {place(run)}" for run in runs if run.of_gemm("assemble")]
    theirs = [f"{ratio(run.of_gemm('assemble', (name,)))} ({name})" for run, name in zip(runs, ("LAPACK", "ScaLAPACK"))
              if run.of_gemm("assemble", (name,))]
    return (f"Shares of gemm's rate in the assembly, counted as the n n p flops of one triangle: {' and '.join(ours)}; "
            f"`dsyrk` and `pdsyrk`: {' and '.join(theirs)} (higher is better).") if ours else ""


# ---- GPUs


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
        text.append(f"At n = {plan['n']} all memory together is {share(plan)} of a full matrix (lower is better).")
    for solve in results.get(f"{CARD}-solve-131072"):
        text.append(f"A system of n = {solve['n']}, filled by a functor, fits on the one card and takes "
                    f"{sum(solve['seconds'].values()):.0f} s (lower is better), {measured([solve])}.")
    return " ".join(text)


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


# ---- what no clock is needed for


def share(plan):
    """Of all ranks' bytes in a full matrix's."""
    bytes_each = {"float": 4, "double": 8, "complex-float": 8, "complex-double": 16}[plan["scalar"]]
    return ratio(plan["total_bytes"] / (bytes_each * plan["n"] ** 2))


def memory(results):
    plans = results.get("plan-1", "plan-2")
    shares = ", ".join(f"{share(plan)} on {words(plan['ranks'], 'rank')}" for plan in plans)
    return (f"All memory together, as a share of a full matrix, double, n = {plans[0]['n']} (lower is better): {shares}."
            if plans else "")


def traffic(results):
    counted = {data["command"].split("mpirun.sh ")[1].split()[0]: data["lines"] for data in
               results.get("traffic-4", "traffic-9", "traffic-16")}

    def relative(lines, what):
        all_ranks = [line for line in lines if line["ranks"] == "all"]
        ours = [line[what] for line in all_ranks if line["name"].startswith("Tessera")]
        theirs = [line[what] for line in all_ranks if line["name"].startswith("ScaLAPACK")]
        return ratio(ours[0] / min(theirs))

    rows = [[what, *(relative(lines, what) for lines in counted.values())] for what in ("bytes", "messages")]
    n = re.search(r"n = (\d+)", next(iter(counted.values()))[0]["name"])[1] if counted else ""
    return below(f"What the ranks send in a factorisation of n = {n}, as a share of what ScaLAPACK's `pdpotrf` sends on "
                 "the same grid, with blocks of 64 or 128, whichever sends less (lower is better):",
                 table(["ranks", *counted], rows) if counted else "")

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
    return {"factorize": "factorise", "one call": "whole call", "invert": "inverse of a factor",
            "factorize and invert": "factorise and invert", "assemble": "Gram matrix, assembly",
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
    by_integers = results.runs(*results.named(f"{SMALL_CARD}-integers"))  # which have native products beside them
    columns = [("LAPACK, 1 rank", results.compared(), ("LAPACK",), 1, 8000),
               ("ScaLAPACK, 2 ranks", results.compared(), ("ScaLAPACK",), 2, 8000),
               ("cuSOLVER or cuBLAS, one H100", results.compared(CARD), ("cuSOLVER", "cuBLAS"), 1, 32768),
               ("one H200", results.compared(SMALL_CARD) + by_integers, ("cuSOLVER", "cuBLAS"), 1, 32768)]
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
    text = (f"n = {columns[0][-1]} (Gram matrix: n = {n_of['assemble and solve']}) on the host, {columns[2][-1]} on "
            "the GPUs; in parentheses the lowest ratio of all n and scalars (on the H100 before small matrices took one "
            "launch).")
    for run in results.runs(f"{CARD}-jaxmg-2")[-1:]:
        text += (f" A whole call on {place(run)}, n = {run['n']}: {ratio(run.ratio('one call'))} beside `jaxmg.potrs`")
        for other in results.runs(f"{SMALL_CARD}-integers-jaxmg-2")[-1:]:
            ours = other.seconds(("cholesky_distributed, by integers",), "one call")
            text += (f", and {ratio(other.seconds(('jaxmg',), 'one call') / ours)} by products of integers on "
                     f"{place(other)}, n = {other['n']}")
        text += "."
    of_scalars = {}  # of the largest n
    for run in by_integers:
        ours = [c["name"] for c in run["contenders"] if c["name"].startswith("Tessera, by integers")]
        theirs = run.seconds(("cuSOLVER",), "factorize")
        if theirs and run["n"] >= of_scalars.get(run["scalar"], (0,))[0]:
            of_scalars[run["scalar"]] = run["n"], theirs / run.seconds(ours, "factorize")
    if of_scalars:
        text += (" Factorise by products of integers, beside cuSOLVER on one H200: " + ", ".join(
            f"{ratio(of_scalars[kind][1])} ({kind.replace('-', ' ')}, n = {of_scalars[kind][0]})"
            for kind in SCALARS if kind in of_scalars) + ".")
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
    files = {"double-2": "2 ranks", "complex-double-1": "complex"}
    other_counts = [f"{what}: {run['repetitions']}" for file, what in files.items() for run in results.get(file)
                    if run["repetitions"] != runs[0]["repetitions"]]
    others = f" ({', '.join(other_counts)})" if other_counts else ""
    return (f"{m['cpu']}, {words(m['cores'], 'core')}, {blas} (kernels: {kernels}), {m['mpi']}; n = {runs[0]['n']}, "
            f"medians of {words(runs[0]['repetitions'], 'run')}{others}, {measured(runs)}.")


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


# ---- what no clock is needed for


def moduli(results):
    """The errors of factors in double: native, with the default number of moduli, and with the numbers beside it.

    No number where the matrix was not positive definite when rounded so coarsely.
    """
    lines = [line for data in results.get("moduli") for line in data["lines"] if line["scalar"] == "double"]
    defaults = {line["n"]: line["default"] for line in lines}
    errors = {(line["matrix"], line["n"], line["moduli"]): line["error"] for line in lines}
    measured_counts = {(n, count) for _, n, count in errors}
    columns = [(n, count) for n, number in defaults.items() for count in (0, *range(number - 1, number + 2))
               if (n, count) in measured_counts]

    def cell_of(error):
        return "" if error is None else f"{error:.3g}"

    rows = [[matrix, *(cell_of(errors.get((matrix, n, count))) for n, count in columns)]
            for matrix in dict.fromkeys(line["matrix"] for line in lines)]
    return table(["", *(f"n = {n}, " + (str(count) if count else "native") for n, count in columns)], rows)


def moduli_numbers(results):
    """The default ones, and how accurate they are beside native products, where they are the least so."""
    lines = [line for data in results.get("moduli") for line in data["lines"]]
    native = {(line["scalar"], line["matrix"], line["n"]): line["error"] for line in lines if line["moduli"] == 0}
    numbers, worst, failed = {}, {}, 0
    for line in lines:
        numbers.setdefault((line["scalar"], line["default"]), {})[str(line["n"])] = None
        theirs = native[line["scalar"], line["matrix"], line["n"]]
        if line["moduli"] != line["default"]:
            continue
        if line["error"] is None:
            failed += 1
        elif theirs:
            worst[line["scalar"]] = max(worst.get(line["scalar"], 0), line["error"] / theirs)
    if not lines:
        return ""
    text = ", ".join(f"{number} in {scalar} at n = {' and '.join(sizes)}"
                     for (scalar, number), sizes in sorted(numbers.items()))
    ratios = " and ".join(f"{ratio(factor)} times native's in {scalar}" for scalar, factor in sorted(worst.items()))
    return (f"The default numbers: {text}. With them the largest element of the error is at most {ratios}, on all of "
            "these matrices" + (f" but {failed}, which are not positive definite then." if failed else "."))


def share(data, number_of_bytes):
    """Of so many bytes in those of a full matrix of that order and scalar."""
    bytes_each = {"float": 4, "double": 8, "complex-float": 8, "complex-double": 16}[data["scalar"]]
    return ratio(number_of_bytes / (bytes_each * data["n"] ** 2))


def memory(results):
    plans = results.get("plan-1", "plan-2")
    shares = ", ".join(f"{share(plan, plan['total_bytes'])} on {words(plan['ranks'], 'rank')}" for plan in plans)
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

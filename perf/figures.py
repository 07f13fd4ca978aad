#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the figures of the pages from perf/results, or checks that the pages say what the JSON files say.

Usage: figures.py [--check]

What stands in a page between <!-- figures: NAME --> and <!-- /figures --> is what NAME makes in figures_of_pages.py or
figures_of_devices.py, and nothing else there may be a figure: outside of these, the sections of MEASURED have no numbers
but those of KNOWN. A JSON file that is not there leaves out its rows and sentences.
"""

import pathlib
import re
import sys
import textwrap

import figures_of_devices
import figures_of_pages
from results import Results

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ("README.md", "perf/README.md", "core/tessera/README.md")
BLOCK = re.compile(r"<!-- figures: (?P<name>[a-z0-9-]+) -->(?P<text>.*?)<!-- /figures -->", re.DOTALL)

# The headings of the sections that measure, by page.
MEASURED = {
    "README.md": ["Measured"],
    "perf/README.md": ["How to read the figures", "Two CPU cores", "A natural-gradient step on two cores",
                       "Error against moduli", "One H100", "Small matrices on one H200", "Two H100", "jaxmg",
                       "Memory and messages"],
}
# Numbers that nobody has measured, and what has one in its name.
KNOWN = re.compile(r"H[12]00|(4 )?n\^3 / 3|\b[12] x [12]\b|64-bit|\bat 1\b|\babove 1\b")


def written(name, text):
    """As it stands in a page: a table or paragraphs between the comments, or a few words on the line."""
    if name.endswith("-words"):
        return text
    lines = [line if line.startswith("|") else textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False)
             for line in text.split("\n")] if text else []
    return "\n".join(["", *lines, ""])


def published(page, results):
    """The page with its figures; and what is wrong with its comments."""
    wrong = []

    def replace(block):
        name = block["name"]
        function = name.replace("-", "_")
        make = getattr(figures_of_pages, function, None) or getattr(figures_of_devices, function, None)
        if make is None:
            wrong.append(f"neither figures_of_pages.py nor figures_of_devices.py makes {name}")
            return block[0]
        return f"<!-- figures: {name} -->{written(name, make(results))}<!-- /figures -->"

    return BLOCK.sub(replace, page), wrong


def sections(page):
    """The text under each heading, without what is in ``` blocks."""
    found = {}
    heading = ""
    for line in re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE).split("\n"):
        if line.startswith("#"):
            heading = line.lstrip("# ")
        else:
            found[heading] = found.get(heading, "") + line + "\n"
    return found


def untied(name, page):
    """Numbers in the sections that measure which come from no JSON."""
    found = []
    texts = sections(page)
    for heading in MEASURED.get(name, []):
        if heading not in texts:
            found.append(f"there is no section {heading}")
            continue
        text = BLOCK.sub("", texts[heading])
        for aside in (r"`[^`]*`", r"!?\[[^\]]*\]\([^)]*\)"):  # code, links and images
            text = re.sub(aside, "", text)
        for line in KNOWN.sub("", text).split("\n"):
            if re.search(r"\d", line):
                found.append(f"{heading}: a number that no JSON gives: {line.strip()}")
    return found


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    results = Results(ROOT / "perf/results")
    wrong = results.without_provenance()
    if wrong:
        sys.exit("\n".join(wrong))
    for name in PAGES:
        path = ROOT / name
        page = path.read_text(encoding="utf-8")
        new, complaints = published(page, results)
        wrong += [f"{name}: {complaint}" for complaint in complaints + untied(name, page)]
        if check:
            for old_block, new_block in zip(BLOCK.finditer(page), BLOCK.finditer(new)):
                if old_block[0] != new_block[0]:
                    wrong.append(f"{name}: {old_block['name']} is not what perf/results gives; it would be:"
                                 f"{new_block['text']}")
        else:
            path.write_text(new, encoding="utf-8")
    if wrong:
        sys.exit("\n".join(wrong + ["figures.py: the pages are not what perf/results gives (python3 perf/figures.py)"]))


if __name__ == "__main__":
    main()

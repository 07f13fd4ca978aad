#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes data/co2.csv: the weekly carbon dioxide over Mauna Loa that statsmodels ships, without the missing weeks.

    apt-get install python3-statsmodels     # 0.13.5 wrote what is committed
    python3 co2.py data/co2.csv
"""

import calendar
import sys

from statsmodels.datasets import co2

HEADER = """\
# Weekly means of the carbon dioxide in the air over Mauna Loa, Hawaii, in ppm by volume, from March 1958 to December
# 2001, as statsmodels {version} has them; a week's date as a year and its part that has passed.
# C. D. Keeling and T. P. Whorf, Atmospheric CO2 concentrations derived from flask air samples at sites in the SIO
# network, in Trends: A Compendium of Data on Global Change, Carbon Dioxide Information Analysis Center, Oak Ridge
# National Laboratory, Oak Ridge, Tennessee, 2004. In the public domain.
"""


def year(date):
    return date.year + (date.dayofyear - 1) / (366 if calendar.isleap(date.year) else 365)


def main():
    import statsmodels

    record = co2.load_pandas().data["co2"].dropna()
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(HEADER.format(version=statsmodels.__version__.split("+")[0]))
        for date, ppm in record.items():
            file.write(f"{year(date):.6f},{ppm:.1f}\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Rewrites public-suffixes.txt from a public_suffix_list.dat given on standard input.

usage: python3 lease/public-suffixes.py < public_suffix_list.dat
`cargo xtask suffix-list` fetches the newest list and runs this. Rules of the private section, where a
company gives names to its customers, begin with a tilde.
"""
import pathlib
import sys

rules, version, section = set(), "unknown", ""
for line in sys.stdin.read().splitlines():
    line = line.strip()
    if line.startswith("// VERSION:"):
        version = line.removeprefix("// VERSION:").strip()
    if line.startswith("// ===BEGIN PRIVATE DOMAINS==="):
        section = "~"
    if line.startswith("// ===END PRIVATE DOMAINS==="):
        section = ""
    if not line or line.startswith("//"):
        continue
    rule = line.split()[0]
    mark = "!" if rule.startswith("!") else "*." if rule.startswith("*.") else ""
    name = rule[len(mark):]
    rules.add(section + mark + ".".join(p.encode("idna").decode() if not p.isascii() else p for p in name.split(".")))

header = f"""\
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.
# The Public Suffix List (https://publicsuffix.org/list/), version {version}:
# comments dropped, names as A-labels, private rules behind a tilde, sorted bytewise for binary search.
"""
out = pathlib.Path(__file__).with_name("public-suffixes.txt")
out.write_text(header + "\n".join(sorted(rules)) + "\n")
print(f"{out.name}: {len(rules)} rules, version {version}")

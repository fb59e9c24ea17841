"""Reads the outputs of `gemscope check` by the published schemas of their formats.

usage: check.py SARIF-SCHEMA JUNIT-XSD FOLDER
"""

import json
import pathlib
import sys
import xml.etree.ElementTree

import jsonschema
import xmlschema

# GitHub's limits of an upload.
RESULTS = 25_000
BYTES = 10 << 20


def sarif(path, validator):
    """Schema, and what GitHub asks beyond it."""
    text = path.read_text()
    log = json.loads(text)
    problems = [error.message for error in validator.iter_errors(log)]
    results = log["runs"][0]["results"]
    if len(results) > RESULTS or len(text) > BYTES:
        problems.append("more than GitHub takes")
    for result in results:
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        if not location or not result["message"]["text"] or "gemscope/v1" not in result["partialFingerprints"]:
            problems.append("a result that GitHub does not take")
    return problems


def suites(path):
    """Without the one thing that every writer adds to the schema: how many cases of all suites were skipped."""
    root = xml.etree.ElementTree.parse(path).getroot()
    root.attrib.pop("skipped", None)
    return root


def main():
    sarif_schema, junit_schema, folder = map(pathlib.Path, sys.argv[1:])
    schema = json.loads(sarif_schema.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    junit = xmlschema.XMLSchema(str(junit_schema))
    read, bad = 0, 0
    for path in sorted(folder.iterdir()):
        if path.suffix == ".sarif":
            problems = sarif(path, validator)
        elif path.suffix == ".xml":
            problems = [str(error.reason) for error in junit.iter_errors(suites(path))]
        else:
            continue
        read += 1
        bad += bool(problems)
        for problem in problems[:5]:
            print(f"{path.name}: {problem}")
    print(f"{read} outputs, {bad} bad")
    return 1 if bad or not read else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes the man page of q3 from what the program says about itself: man-page.py PATH-OF-Q3 > q3.1"""

import json
import subprocess
import sys


def escaped(text):
    """Text for roff: backslashes and hyphens as they are, and no line that begins like a request."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").splitlines()
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


def name_of(name):
    return {"long": "--", "short": "-", "longWithSingleDash": "-"}[name["kind"]] + name["name"]


def spelled(argument):
    """How an argument is written: its names, and what follows them."""
    value = f"\\fI{escaped(argument.get('valueName', ''))}\\fR"
    if argument["kind"] == "positional":
        return value + (" ..." if argument["isRepeating"] else "")
    names = ", ".join(f"\\fB{escaped(name_of(name))}\\fR" for name in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} {value}"


def arguments_of(command):
    return [argument for argument in command.get("arguments", []) if argument.get("shouldDisplay", True)]


def described(command, path):
    """The section of a command, and of those below it."""
    yield f'.SS "{escaped(" ".join(path))}"'
    yield escaped(command.get("abstract", ""))
    if command.get("discussion"):
        yield ".PP\n.nf"
        yield escaped(command["discussion"])
        yield ".fi"
    for argument in arguments_of(command):
        if any(name["name"] in ("help", "version") for name in argument.get("names") or []):
            continue
        yield f".TP\n{spelled(argument)}"
        text = argument.get("abstract", "")
        default = argument.get("defaultValue")
        yield escaped(text + (f" (default: {default})" if default and argument["kind"] != "flag" else "")) or "."
    for below in command.get("subcommands", []):
        if below["commandName"] != "help" and below.get("shouldDisplay", True):
            yield from described(below, [*path, below["commandName"]])


def main():
    program = sys.argv[1]
    dump = json.loads(subprocess.run([program, "--experimental-dump-help"], capture_output=True, check=True).stdout)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    root = dump["command"]
    print(f'.TH Q3 1 "" "q3 {version.removeprefix("q3 ")}" "User Commands"')
    print(".SH NAME\nq3 \\- " + escaped(root.get("abstract", "")).rstrip("."))
    print(".SH SYNOPSIS\n\\fBq3\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR ...]\n.PP\n\\fBq3 help\\fR \\fICOMMAND\\fR")
    if root.get("discussion"):
        print(".SH DESCRIPTION\n.nf\n" + escaped(root["discussion"]) + "\n.fi")
    print(".SH COMMANDS")
    for command in root.get("subcommands", []):
        if command["commandName"] != "help":
            for line in described(command, ["q3", command["commandName"]]):
                print(line)


if __name__ == "__main__":
    main()

"""python -m q3: jobs over files; everything else goes to the program q3."""

from __future__ import annotations

import argparse
import os
import sys

from ._program import main as run_program
from .errors import Q3Error

_JOBS = ("embed-dataset", "verify-dataset", "run-batch")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m q3", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    embed = commands.add_parser("embed-dataset", help="files of rows in, the same rows with vectors out")
    embed.add_argument("inputs", nargs="+", help="Parquet, Arrow, CSV or JSON lines; patterns; folders")
    embed.add_argument("--output", "-o", required=True, help="a folder, or a .parquet file")
    embed.add_argument("--model", "-m", help="a GGUF file or a name; the built-in q3-mini without it")
    embed.add_argument("--text-column", default="text")
    embed.add_argument("--embedding-column", default="embedding")
    embed.add_argument("--columns", nargs="*", help="columns to keep (default: all)")
    embed.add_argument(
        "--lists", default="auto", choices=["auto", "fixed", "variable"],
        help="vectors as fixed-size lists, or as lists of any size, which pyarrow before 26 needs where there are nulls")
    embed.add_argument("--prompt-name", help='for instance "query"')
    embed.add_argument("--prompt", help="what is put before every text")
    embed.add_argument("--dimensions", type=int, dest="truncate_dim")
    embed.add_argument("--type", default="float32", choices=["float32", "float16", "int8", "uint8"])
    embed.add_argument("--ranges", help="a .npy file of [2, dimensions], for int8 and uint8")
    embed.add_argument("--shard", help='for instance "3/16"')
    embed.add_argument("--shards", type=int, help="number of shards; JOB_COMPLETION_INDEX says which one this is")
    embed.add_argument("--long-texts", default="truncate", choices=["truncate", "raise"])
    embed.add_argument("--errors", default="raise", choices=["raise", "null"])
    embed.add_argument("--precision", default="auto", choices=["auto", "fast", "fine", "exact"])
    embed.add_argument("--threads", type=int)
    embed.add_argument("--quiet", action="store_true")

    verify = commands.add_parser("verify-dataset", aliases=["verify"], help="recompute a sample and compare the bits")
    verify.add_argument("output", help="what embed-dataset wrote")
    verify.add_argument("--model", "-m")
    verify.add_argument("--sample", type=int, default=200)
    verify.add_argument("--seed", type=int, default=0)
    verify.add_argument("--ranges", help="a .npy file, where the job had one")
    verify.add_argument("--threads", type=int)

    batch = commands.add_parser("run-batch", help="a file of requests in OpenAI's batch format")
    batch.add_argument("--input", "-i", required=True)
    batch.add_argument("--output", "-o", required=True)
    batch.add_argument("--model", "-m")
    batch.add_argument("--reranker")
    batch.add_argument("--threads", type=int)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    options = vars(arguments).copy()
    command = options.pop("command")
    if options.get("ranges"):
        import numpy as np

        options["ranges"] = np.load(options["ranges"])
    if command == "embed-dataset":
        from .jobs import embed_dataset, show_progress

        progress = None if options.pop("quiet") else show_progress
        report = embed_dataset(options.pop("inputs"), options.pop("output"), progress=progress, **options)
        print(
            f"{report.output}: {report.part_count} parts, {report.skipped_part_count} of them were there; "
            f"{report.row_count} rows computed, {report.null_count} without a vector; fingerprint {report.fingerprint}"
        )
        return 0
    if command == "run-batch":
        from .batch import run_batch

        report = run_batch(options.pop("input"), options.pop("output"), **options)
        print(f"{report.request_count} requests, {report.resumed_count} of them answered before; {report.failed_count} failed")
        return 75 if report.failed_count else 0  # as q3: everything was done but what is listed
    from .jobs import verify_dataset

    report = verify_dataset(options.pop("output"), **options)
    print(f"{report.part_count} parts, {report.row_count} rows, {report.checked_count} of them computed again")
    for name in report.missing:
        print(f"missing: {name}")
    for place in report.differing:
        print(f"other bits: {place}")
    return 0 if report.is_good else 65


def main() -> None:
    """Run a job, or the program."""
    if len(sys.argv) > 1 and (sys.argv[1] in _JOBS or _is_verify_of_a_job()):
        try:
            sys.exit(_run(_parser().parse_args()))
        except (Q3Error, ValueError, OSError, KeyError) as error:
            sys.exit(f"error: {error.args[0] if isinstance(error, KeyError) else error}")
        except KeyboardInterrupt:
            sys.exit(130)
    if len(sys.argv) == 1 or sys.argv[1] in ("-h", "--help"):
        _parser().print_help()
        return
    run_program()


def _is_verify_of_a_job() -> bool:
    """`q3 verify MODEL` is a command of the program; with a folder or a Parquet file it checks a job."""
    return sys.argv[1] == "verify" and any(
        os.path.isdir(argument) or argument.endswith(".parquet") for argument in sys.argv[2:]
    )


if __name__ == "__main__":
    main()

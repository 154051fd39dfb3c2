"""The numbers of all runs as medians, ratios and tables."""

import statistics

from clients import NAMES
from parts import BY_NAME

COLUMNS = {
    "call": "call s",
    "process": "process s",
    "cpu": "CPU s",
    "rss": "peak RSS MiB",
    "growth": "growth MiB",
    "sync": "sync s",
    "hub": "Hub CPU s",
    "sent": "sent MB",
    "structs": "structs / text",
    "maps": "maps / text",
}
RATIOS = ("call", "process", "cpu", "rss")
WIDTH = 16
VERDICTS = {True: "met", False: "MISSED", None: "not measured"}


def summary(runs):
    """Best and median of every number: {"part (server)": {client: {number: …}}}."""
    result = {}
    for run in runs:
        clients = result.setdefault(case_name(run["part"], run["server"]), {})
        numbers = clients.setdefault(run["client"], {})
        for name in BY_NAME[run["part"]].numbers:
            if run.get(name) is not None:
                numbers.setdefault(name, []).append(run[name])
    return {
        case: {
            client: {name: spread(values) for name, values in clients[client].items()}
            for client in sorted(clients, key=NAMES.index)
        }
        for case, clients in result.items()
    }


def case_name(part, server):
    return f"{part} ({server})" if server else part


def spread(values):
    return {"best": min(values), "median": statistics.median(values), "count": len(values)}


def table(result):
    lines = ["; ".join(result["versions"].values())]
    lines += [f"{what} skipped: {reason}" for what, reason in result["skipped"].items()]
    lines += [f"{result['machine']}; load {result['load']:.1f} before; in {result['folder']}, {result['file_system']}"]
    for case, clients in result["summary"].items():
        lines += ["", *case_table(case, clients, result["options"])]
    lines += ["", *ratio_table(result["summary"]), "", *target_table(result["targets"])]
    return "\n".join(line.rstrip() for line in lines)


def target_table(found):
    yield f"{'targets, which are meant for the default amounts':64}{'measured':>10}{'':10}{'on the Local Hub':>18}"
    for target in found:
        measured, second = ("" if target[key] is None else f"{target[key]:.2f}" for key in ("measured", "local_hub"))
        yield f"{target['target']:64}{measured:>10}  {VERDICTS[target['met']]:12}{second:>14}"


def case_table(case, clients, options):
    part = BY_NAME[case.split(" (")[0]]
    count = max(number["count"] for numbers in clients.values() for number in numbers.values())
    yield f"{case}: {part.titled(options)}; best and median of {count}"
    if part.task == "hit":
        for client, numbers in clients.items():
            yield f"{client:10}{numbers['call']['best'] * 1e6:8.1f}{numbers['call']['median'] * 1e6:8.1f} µs a call"
        return
    yield f"{'':10}" + "".join(f"{COLUMNS[name]:>{WIDTH}}" for name in part.numbers)
    for client, numbers in clients.items():
        yield f"{client:10}" + "".join(cell(name, numbers.get(name)) for name in part.numbers)


def cell(name, value):
    if value is None:
        return " " * WIDTH
    scale, digits = (1 << 20, 1) if name in ("rss", "growth") else (1_000_000, 1) if name == "sent" else (1, 3)
    return f"{value['best'] / scale:{WIDTH - 7}.{digits}f}{value['median'] / scale:7.{digits}f}"


def ratio_table(found):
    yield "ratio ours / peer of the medians (below 1: ours is less)"
    yield f"{'':32}" + "".join(f"{name:>{WIDTH}}" for name in ("call", "process", "CPU", "peak RSS"))
    for case, clients in found.items():
        for peer in clients:
            if peer != "ours" and "ours" in clients:
                both = [(clients["ours"].get(name), clients[peer].get(name)) for name in RATIOS]
                cells = [f"{ours['median'] / theirs['median']:.2f}" if ours and theirs else "" for ours, theirs in both]
                yield f"{case + ' / ' + peer:32}" + "".join(f"{text:>{WIDTH}}" for text in cells)

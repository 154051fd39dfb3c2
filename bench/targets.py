"""The targets of this library, each compared with the medians of a run."""

import dataclasses
import typing

MIB = 1 << 20


@dataclasses.dataclass
class Target:
    """`text` has the limit in it; `value` returns the number that was measured with a server, or None."""

    text: str
    limit: float
    value: typing.Callable
    server: str = "nginx"


def ratio(part, peer):
    """Time of ours to that of the peer."""
    return lambda found, server: divide(median(found, part, server, "ours"), median(found, part, server, peer))


def cpu_beyond(part, peer):
    """Processor time of ours less that of the peer."""

    def value(found, server):
        ours, theirs = (median(found, part, server, client, "cpu") for client in ("ours", peer))
        return None if None in (ours, theirs) else ours - theirs

    return value


def to_peer(part, number, peer="python"):
    """A number of ours to that of the peer."""
    return lambda found, server: divide(
        median(found, part, server, "ours", number), median(found, part, server, peer, number)
    )


def grown(part, peer="python"):
    """Peak RSS of ours less that of its start, to that of a peer."""

    def value(found, server):
        more = []
        for client in ("ours", peer):
            peak, start = median(found, part, server, client, "rss"), median(found, "start", None, client, "rss")
            more.append(None if None in (peak, start) else peak - start)
        return divide(*more)

    return value


def by_default(ending=""):
    """Time of a download of ours, which takes HTTP, to that of Python, which takes Xet."""
    return lambda found, server: divide(
        median(found, f"xet-http{ending}", server, "ours"), median(found, f"xet-get{ending}", server, "python")
    )


def own(part, number="call", unit=1):
    """Ours alone."""
    return lambda found, server: divide(median(found, part, server, "ours", number), unit)


def relative(part, other):
    """Time of ours to that of ours in another part."""
    return lambda found, server: divide(median(found, part, server, "ours"), median(found, other, server, "ours"))


def divide(one, other):
    return None if None in (one, other) else one / other


def median(found, part, server, client, number="call"):
    numbers = found.get(f"{part} ({server})" if server else part, {}).get(client, {})
    return numbers[number]["median"] if number in numbers else None


TARGETS = [
    Target("1 GiB on disk: at most {} × hf-hub", 1.10, ratio("large", "hf-hub")),
    Target("1 GiB on disk: at most {} × bare", 1.10, ratio("large", "bare")),
    Target("1 GiB on disk: at most {} × Python", 0.35, ratio("large", "python")),
    Target("1 GiB in memory: at most {} × hf-hub", 1.05, ratio("large-memory", "hf-hub")),
    Target("1 GiB in memory: at most {} × bare", 1.05, ratio("large-memory", "bare")),
    Target("10 × 100 MiB on disk: at most {} × hf-hub", 1.30, ratio("parts", "hf-hub")),
    Target("10 × 100 MiB on disk: at most {} × bare", 1.10, ratio("parts", "bare")),
    Target("10 × 100 MiB: CPU at most {} s more than hf-hub", 0.9, cpu_beyond("parts", "hf-hub")),
    Target("10 × 100 MiB: memory grows by at most {} MiB", 64, own("parts", "growth", unit=MIB)),
    Target("1,000 × 4 KiB on disk: at most {} × hf-hub", 1.00, ratio("small", "hf-hub")),
    Target("1,000 × 4 KiB on disk: at most {} × Python", 0.25, ratio("small", "python")),
    Target("1,000 × 4 KiB in memory: at most {} × hf-hub", 0.80, ratio("small-memory", "hf-hub")),
    Target("1 GiB, 40 MiB/s a connection: at most {} × aria2 -x16", 1.10, ratio("slow", "aria2")),
    Target("a pinned cache hit: at most {} µs", 50, own("hit", unit=1e-6)),
    Target("1 GiB over TLS in memory: at most {} × hf-hub", 1.20, ratio("tls", "hf-hub")),
    Target("1 GiB of which half is there: at most {} × a cold one", 0.75, relative("resume", "large")),
    Target("1 GiB to a folder on disk: at most {} × hf-hub", 1.10, ratio("local-dir", "hf-hub")),
    Target("10 MB of JSON to structs: at most {} × json.loads", 2.0, ratio("json", "python"), None),
    Target("10 MB of JSON to structs: memory at most {} × the text", 6, own("json", "structs"), None),
    Target("10 MB of JSON to maps: memory at most {} × the text", 6, own("json", "maps"), None),
    Target("1 GiB uploaded: at most {} × Python", 0.50, ratio("put", "python"), "hub"),
    Target("1 GiB uploaded: at most {} × SHA-256 beside curl -T", 1.2, ratio("put", "curl"), "hub"),
    Target("1 GiB uploaded: CPU of the Local Hub at most {} s", 1.5, own("put", "hub"), "hub"),
    Target("1 GiB uploaded, 40 MB/s a connection: at most {} × Python", 0.25, ratio("put-slow", "python"), "hub"),
    Target("2,000 files uploaded: at most {} × Python", 0.50, ratio("push", "python"), "hub"),
    Target("4 GiB: memory grows by at most {} MiB", 64, own("memory", "growth", unit=MIB)),
    Target("4 GiB uploaded: memory grows by at most {} MiB", 64, own("put-memory", "growth", MIB), "hub"),
    Target("100,000 files uploaded: memory grows by at most {} MiB", 64, own("crowd", "growth", MIB), "hub"),
    Target("a cache of 10,000 files scanned: at most {} × Python", 0.2, ratio("scan", "python"), None),
    Target("10 × 100 MiB of a cache hashed: at most {} s, 1 GB/s", 1.05, own("verify")),
    Target("Xet: 1 GiB uploaded: at most {} × Python", 1.0, ratio("xet-put", "python"), None),
    Target("Xet: a second version uploaded: at most {} × Python", 1.0, ratio("xet-again", "python"), None),
    Target("Xet: 500 × 100 KiB uploaded: at most {} × Python", 1.0, ratio("xet-many", "python"), None),
    Target("Xet: 1 GiB uploaded, 50 MB/s, 20 ms: at most {} × Python", 1.0, ratio("xet-put-far", "python"), None),
    Target("Xet: a second version, 50 MB/s, 20 ms: at most {} × Python", 1.0, ratio("xet-again-far", "python"), None),
    Target("Xet: 500 × 100 KiB, 50 MB/s, 20 ms: at most {} × Python", 1.0, ratio("xet-many-far", "python"), None),
    Target("Xet: bytes sent of 1 GiB: at most {} × Python", 1.01, to_peer("xet-put", "sent"), None),
    Target("Xet: bytes sent of a second version: at most {} × Python", 1.01, to_peer("xet-again", "sent"), None),
    Target("Xet: bytes sent of 500 × 100 KiB: at most {} × Python", 1.01, to_peer("xet-many", "sent"), None),
    Target("Xet: 1 GiB downloaded: at most {} × Python", 1.0, ratio("xet-get", "python"), None),
    Target("Xet: 1 GiB downloaded, 50 MB/s, 20 ms: at most {} × Python", 1.0, ratio("xet-get-far", "python"), None),
    Target("Xet: 1 GiB downloaded by default: at most {} × Python", 1.0, by_default(), None),
    Target("Xet: the same, 50 MB/s, 20 ms: at most {} × Python", 1.0, by_default("-far"), None),
    Target("Xet: memory of an upload: at most {} × Python", 0.5, to_peer("xet-put", "rss"), None),
    Target("Xet: memory of an upload beyond the start: at most {} × Python", 0.5, grown("xet-put"), None),
    Target("Xet: memory of a download: at most {} × Python", 0.5, to_peer("xet-get", "rss"), None),
    Target("Xet: memory of a download beyond the start: at most {} × Python", 0.5, grown("xet-get"), None),
]


def check(found):
    """Each target with what was measured; one whose part or peer was left out has no number."""
    result = []
    for target in TARGETS:
        measured = target.value(found, target.server)
        result.append({
            "target": target.text.format(f"{target.limit:g}"),
            "measured": measured,
            "met": None if measured is None else measured <= target.limit,
            "local_hub": target.value(found, "hub") if target.server == "nginx" else None,
        })
    return result

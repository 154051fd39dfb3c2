"""What is downloaded, and the caches that are only read: made once, before anything is measured."""

import hashlib
import os

SMALL_SIZE = 4096
SCAN_FILES, SCAN_REPOS = 10_000, 20
PIECE = 1 << 20


class Content:
    """Repositories as folders below `folder`, each made when it is first needed."""

    def __init__(self, folder, options):
        self.folder = folder
        self.sizes = {
            "large": [options.size],
            "parts": [options.part_size] * options.parts,
            "small": [SMALL_SIZE] * options.files,
            "tiny": [SMALL_SIZE],
            "huge": [options.memory_size],
        }
        self.made = {}

    def make(self, repo):
        """[(path, size, SHA-256)] of the files of a repository."""
        if repo not in self.made:
            folder = self.folder / repo
            folder.mkdir(parents=True)
            many = len(self.sizes[repo]) > 1
            names = [f"file_{number:04}.bin" if many else "model.bin" for number in range(len(self.sizes[repo]))]
            self.made[repo] = [
                (name, size, write_hole(folder / name, size) if repo == "huge" else write_random(folder / name, size))
                for name, size in zip(names, self.sizes[repo])
            ]
        return self.made[repo]


def write_random(path, size):
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for left in range(size, 0, -PIECE):
            piece = os.urandom(min(left, PIECE))
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def write_hole(path, size):
    """Only the amount matters, and a hole takes no space."""
    with open(path, "wb") as file:
        file.truncate(size)
    digest, piece = hashlib.sha256(), bytes(PIECE)
    for left in range(size, 0, -PIECE):
        digest.update(piece[: min(left, PIECE)])
    return digest.hexdigest()


def write_cache(cache):
    """Small files in the layout of all clients; of each repository two revisions that share most of them."""
    for repo in range(SCAN_REPOS):
        root = cache / f"models--bench--repo{repo}"
        for folder in ("blobs", "refs"):
            (root / folder).mkdir(parents=True)
        for revision in range(2):
            commit = hashlib.sha1(f"{repo} {revision}".encode()).hexdigest()
            snapshot = root / "snapshots" / commit
            snapshot.mkdir(parents=True)
            for number in range(SCAN_FILES // SCAN_REPOS // 2):
                etag = hashlib.sha1(f"{repo} {number} {revision * (number % 5 == 0)}".encode()).hexdigest()
                (root / "blobs" / etag).write_text("x" * number)
                (snapshot / f"file_{number:04}.bin").symlink_to(f"../../blobs/{etag}")
        (root / "refs" / "main").write_text(commit)

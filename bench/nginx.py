"""nginx as a Hub: an independent server that sends what is downloaded.

It has static responses for the requests of a download: repo info, tree, and a `resolve` that redirects to a second
port with the headers of the Hub. There are three pairs of ports on the same files:

    plain  HTTP/1.1
    slow   HTTP/1.1, RATE by each connection
    tls    HTTP/1.1 over TLS, with a certificate that `certificate` names
"""

import ctypes
import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

RATE = 40 << 20
KINDS = ("plain", "slow", "tls")
SUBJECT = "/O=hf_hub bench"
LEAF = """basicConstraints=CA:FALSE
subjectAltName=IP:127.0.0.1
extendedKeyUsage=serverAuth
authorityKeyIdentifier=keyid
"""

MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes auto;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log {access_log};
  default_type application/octet-stream;
  client_body_temp_path {folder}/temporary;
  proxy_temp_path {folder}/temporary;
  fastcgi_temp_path {folder}/temporary;
  uwsgi_temp_path {folder}/temporary;
  scgi_temp_path {folder}/temporary;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  open_file_cache max=4000;
  map_hash_max_size 65536;
  map_hash_bucket_size 256;
  map $repo $commit {{ {commits} }}
  map $repo/$path $oid {{ include {folder}/oids; }}
  map $repo/$path $size {{ include {folder}/sizes; }}
  {servers}
}}
"""

SERVER = """
  server {{
    listen 127.0.0.1:{port}{ssl};
    {tls}
    root {folder}/api;
    location ~ ^/api/models/bench/(?<repo>\\w+)(?:/revision/[^/]+)?$ {{
      default_type application/json;
      try_files /$repo/info.json =404;
    }}
    location ~ ^/api/models/bench/(?<repo>\\w+)/tree/[^/]+$ {{
      default_type application/json;
      try_files /$repo/tree.json =404;
    }}
    location ~ ^/bench/(?<repo>\\w+)/resolve/[^/]+/(?<path>.+)$ {{
      if ($oid = "") {{ return 404; }}
      add_header X-Repo-Commit $commit;
      add_header X-Linked-Etag '"$oid"';
      add_header X-Linked-Size $size;
      add_header ETag '"$oid"';
      add_header Accept-Ranges bytes;
      return 302 {scheme}://127.0.0.1:{content_port}/$repo/$path;
    }}
  }}
  server {{
    listen 127.0.0.1:{content_port}{ssl};
    {tls}
    {rate}
    root {content};
  }}
"""


class Nginx:
    """A running nginx. `repos` is {name: [(path, bytes, SHA-256)]}; the files lie in `content`/name/path."""

    def __init__(self, folder, content, repos):
        self.folder, self.content, self.repos = folder, content, repos
        self.certificate = None
        folder.mkdir()
        (folder / "temporary").mkdir()
        self.commits = {repo: hashlib.sha1(repo.encode()).hexdigest() for repo in repos}
        for repo, files in repos.items():
            self.write_api(repo, files)
        self.write_maps()
        self.kinds = [kind for kind in KINDS if kind != "tls" or self.make_certificate()]

    def start(self):
        """Another program may take a port between its choice and the start; then other ports are chosen."""
        for _ in range(5):
            self.write_configuration()
            command = ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
            with open(self.folder / "stderr", "wb") as log:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=end_with_parent,
                )
            if self.is_up():
                return
            self.stop()
        sys.exit("nginx has not started:\n" + (self.folder / "stderr").read_text())

    def is_up(self):
        ports = [port for pair in self.ports.values() for port in pair]
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                for port in ports:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        """SIGTERM ends the workers at once, whatever they are sending."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def endpoint(self, kind="plain"):
        return f"{'https' if kind == 'tls' else 'http'}://127.0.0.1:{self.ports[kind][0]}"

    def write_api(self, repo, files):
        folder = self.folder / "api" / repo
        folder.mkdir(parents=True)
        name = f"bench/{repo}"
        info = {
            "_id": "0" * 24, "id": name, "modelId": name, "author": "bench", "sha": self.commits[repo],
            "lastModified": "2025-01-01T00:00:00.000Z", "createdAt": "2025-01-01T00:00:00.000Z", "private": False,
            "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": [],
            "usedStorage": sum(size for _, size, _ in files), "siblings": [{"rfilename": path} for path, _, _ in files],
        }
        tree = [
            {
                "type": "file", "oid": hashlib.sha1(oid.encode()).hexdigest(), "size": size, "path": path,
                "lfs": {"oid": oid, "size": size, "pointerSize": 134},
            }
            for path, size, oid in files
        ]
        (folder / "info.json").write_text(json.dumps(info))
        (folder / "tree.json").write_text(json.dumps(tree))

    def write_maps(self):
        for name, number in (("oids", 2), ("sizes", 1)):
            lines = [f"{repo}/{file[0]} {file[number]};\n" for repo, files in self.repos.items() for file in files]
            (self.folder / name).write_text("".join(lines))

    def write_configuration(self):
        numbers = iter(free_ports(2 * len(self.kinds)))
        self.ports = {kind: (next(numbers), next(numbers)) for kind in self.kinds}
        text = MAIN.format(
            folder=self.folder,
            access_log=self.folder / "access.log" if os.environ.get("BENCH_ACCESS_LOG") else "off",
            user=f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else "",
            commits=" ".join(f"{repo} {commit};" for repo, commit in self.commits.items()),
            servers="".join(self.server(kind) for kind in self.kinds),
        )
        (self.folder / "nginx.conf").write_text(text)

    def server(self, kind):
        tls = f"ssl_certificate {self.folder}/leaf.pem; ssl_certificate_key {self.folder}/leaf.key;"
        # The chunk bounds what a request gets ahead of its rate; the default of 2 MiB would favour many small ranges.
        rate = f"limit_rate {RATE}; sendfile_max_chunk 512k;"
        return SERVER.format(
            folder=self.folder,
            content=self.content,
            port=self.ports[kind][0],
            content_port=self.ports[kind][1],
            scheme="https" if kind == "tls" else "http",
            ssl=" ssl" if kind == "tls" else "",
            tls=tls if kind == "tls" else "",
            rate=rate if kind == "slow" else "",
        )

    def make_certificate(self):
        """An authority, which the clients are to trust, and a certificate of it for 127.0.0.1."""
        if not shutil.which("openssl"):
            return False
        (self.folder / "leaf.cnf").write_text(LEAF)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self.openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", SUBJECT, *usage)
        self.openssl("req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"{SUBJECT}/CN=127.0.0.1")
        authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "leaf.cnf"]
        self.openssl("x509", "-req", "-in", "leaf.csr", *authority, "-out", "leaf.pem")
        self.certificate = self.folder / "ca.pem"
        return True

    def openssl(self, *arguments):
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self.folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def end_with_parent():
    """Asks Linux for a SIGTERM when the bench is killed; nginx has no standard input that it watches."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)

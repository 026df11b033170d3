"""A package index on loopback, with wheels made on the fly: `index.py FOLDER [USER:PASSWORD]` prints its port.

`FOLDER` gets the markers that code of the packages leaves when it runs, and `requests.log`.
"""

import base64
import hashlib
import io
import sys
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder = Path(sys.argv[1])
credentials = sys.argv[2] if len(sys.argv) > 2 else None


def wheel(name, version, files, requires=()):
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {it}\n" for it in requires)
    files = dict(files)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    files[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(f"{path},,\n" for path in files)
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return f"{module}-{version}-py3-none-any.whl", data.getvalue()


def source(name, version):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        setup = f"open({str(folder / 'built')!r}, 'w')\nfrom setuptools import setup\nsetup(name={name!r}, version={version!r})\n"
        for path, text in {
            "setup.py": setup,
            "PKG-INFO": f"Metadata-Version: 1.1\nName: {name}\nVersion: {version}\n",
        }.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", data.getvalue()


def leaves(marker):
    return f"open({str(folder / marker)!r}, 'w').close()"


trap = {
    "trap.pth": f"import os; {leaves('pth')}\n",
    "trap.py": f"{leaves('imported')}\n",
    "broken.py": "def (:\n",
    "sitecustomize.py": f"{leaves('sitecustomize')}\n",
}
packages = {
    "demo": [
        wheel("demo", "1.0", {"demo.py": "version = '1.0'\n"}, ["helper"]),
        wheel("demo", "2.0", {"demo.py": "version = '2.0'\n"}, ["helper"]),
    ],
    "helper": [wheel("helper", "3.0", {"helper.py": ""})],
    # Without its modules: notebooks run as plain Python.
    "ipython": [wheel("ipython", "9.0", {})],
    "trap": [wheel("trap", "1.0", trap)],
    "onlysource": [source("onlysource", "1.0")],
}
if (folder / "newer").exists():
    packages["demo"].append(wheel("demo", "3.0", {"demo.py": "version = '3.0'\n"}, ["helper"]))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with (folder / "requests.log").open("a") as log:
            log.write(f"{self.path}\n")
        expected = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        if expected and self.headers.get("Authorization") != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
            return
        parts = [part for part in self.path.split("/") if part]
        if parts[:1] == ["simple"] and len(parts) == 2 and parts[1] in packages:
            links = "".join(
                f'<a href="/files/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>\n'
                for name, data in packages[parts[1]]
            )
            return self.answer("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
        for name, data in (file for files in packages.values() for file in files):
            if parts == ["files", name]:
                return self.answer("application/octet-stream", data)
        self.send_response(404)
        self.end_headers()

    do_HEAD = do_GET

    def answer(self, kind, data):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()

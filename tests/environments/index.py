"""A package index on loopback, with wheels made on the fly: `index.py FOLDER [USER:PASSWORD]` prints its port.

`FOLDER` gets the markers that code of the packages leaves when it runs, and `requests.log`.
"""

import base64
import hashlib
import io
import sys
import tarfile
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder = Path(sys.argv[1])
credentials = sys.argv[2] if len(sys.argv) > 2 else None
server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)


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
            method = zipfile.ZIP_DEFLATED if len(text) > 1 << 20 else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text, method)
    return f"{module}-{version}-py3-none-any.whl", data.getvalue()


def source(name, version, setup):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for path, text in {
            "setup.py": setup,
            "PKG-INFO": f"Metadata-Version: 1.1\nName: {name}\nVersion: {version}\n",
        }.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", data.getvalue()


def gzipped_once(make):
    """A gzip header tells the time, and the files of an index do not change."""
    time.time, clock = (lambda: 0), time.time
    try:
        return make()
    finally:
        time.time = clock


def leaves(marker):
    return f"open({str(folder / marker)!r}, 'w').close()"


# Fails where its mark cannot be made.
BREAKS = f"open({str(folder / 'built')!r}, 'w')\nfrom setuptools import setup\nsetup(name='onlysource', version='1.0')\n"
LIES = "from setuptools import setup\nsetup(name='demo', version='9.0', text='')\n"
# Writes down in its module what it could do.
PROBES = f"""
import os, socket, sys, sysconfig
from pathlib import Path
from setuptools import setup

def probe(name, action):
    try:
        done.append(name + ': ' + str(action()))
    except OSError:
        pass

done = []
folder = Path({str(folder)!r})
probe('read', lambda: (folder.parent / 'host.txt').read_text())
probe('mark', lambda: (folder / 'built').write_text(''))
probe('index', lambda: socket.create_connection(('127.0.0.1', {server.server_port}), 2))
probe('host', lambda: socket.create_connection(('1.1.1.1', 443), 2))
probe('home', lambda: Path({str(Path.home() / '.nbc-probe')!r}).write_text(''))
for place in [sysconfig.get_path('purelib'), sys.base_prefix + '/lib', {str(folder.parent / 'cache')!r}]:
    probe('pth', lambda: (Path(place) / 'probe.pth').write_text(''))
if 'p4ss' in str(os.environ):
    done.append('credentials')
version = Path('PKG-INFO').read_text().split('Version: ')[-1].strip()
setup(name='probing', version=version, text='done = ' + repr(done) + '\\n')
"""
# The part of setuptools that these packages need, and a requirement that is told late, as by old versions.
SETUPTOOLS = {
    "setuptools/__init__.py": "given = {}\nsetup = lambda **more: given.update(more)\n",
    "setuptools/build_meta.py": """
import runpy, setuptools, zipfile
class Backend:
    def get_requires_for_build_wheel(self, settings=None):
        return ['helper']
    def build_wheel(self, folder, settings=None, metadata=None):
        import helper
        runpy.run_path('setup.py')
        name, version = setuptools.given['name'], setuptools.given['version']
        info, file = f'{name}-{version}.dist-info', f'{name}-{version}-py3-none-any.whl'
        with zipfile.ZipFile(f'{folder}/{file}', 'w') as archive:
            archive.writestr(f'{name}.py', setuptools.given['text'])
            archive.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n')
            archive.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
            archive.writestr(f'{info}/RECORD', f'{name}.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n')
        return file
__legacy__ = Backend()
""",
}
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
    # 40 MiB out of some kilobytes.
    "bomb": [wheel("bomb", "1.0", {f"bomb{it}.py": "#" * (20 << 20) for it in range(2)})],
    "usurper": [wheel("usurper", "1.0", {"usurper-1.0.data/data/bin/python": "#!/bin/sh"})],
    "settler": [wheel("settler", "1.0", {"settler-1.0.data/data/pyvenv.cfg": "home = /evil"})],
    "onlysource": [gzipped_once(lambda: source("onlysource", "1.0", BREAKS))],
    "probing": [gzipped_once(lambda: source("probing", version, PROBES)) for version in ("1.0", "2.0")],
    "liar": [gzipped_once(lambda: source("liar", "1.0", LIES))],
    "setuptools": [wheel("setuptools", "99.0", SETUPTOOLS)],
}
address = f"http://{credentials or ''}@127.0.0.1:{server.server_port}/files/onlysource-1.0.tar.gz"
packages["leads"] = [wheel("leads", "1.0", {}, [f"onlysource @ {address}"])]
# Not on any page of the index: to be had by its address alone.
packages["addressed"] = [wheel("addressed", "1.0", {"addressed.py": ""})]
# An index page that links to another server of this machine, and one whose file is moved there.
packages["linked"] = [wheel("linked", "1.0", {})]
packages["moved"] = [wheel("moved", "1.0", {})]
if (folder / "newer").exists():
    packages["demo"].append(wheel("demo", "3.0", {"demo.py": "version = '3.0'\n"}, ["helper"]))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with (folder / "requests.log").open("a") as log:
            log.write(f"{self.path}\n")
        expected = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        # An address that a notebook names holds no credentials.
        is_open = "addressed" in self.path
        if expected and not is_open and self.headers.get("Authorization") != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
            return
        parts = [part for part in self.path.split("/") if part]
        elsewhere = (folder / "elsewhere").read_text() if (folder / "elsewhere").exists() else ""
        if elsewhere and parts[:2] == ["files", "moved-1.0-py3-none-any.whl"]:
            self.send_response(302)
            self.send_header("Location", elsewhere + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if parts[:1] == ["simple"] and len(parts) == 2 and parts[1] in packages and parts[1] != "addressed":
            other = elsewhere if parts[1] == "linked" else ""
            links = "".join(
                f'<a href="{other}/files/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>\n'
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


server.RequestHandlerClass = Handler
print(server.server_port, flush=True)
server.serve_forever()

"""The pages of two versions of nbc, byte by byte: public notebooks with stored outputs, built by both.

    python3 benches/same_pages.py OLD NEW CORPUS [WORK]

OLD and NEW are programs of nbc. CORPUS is a folder with `list.tsv` (repository, commit, path in it, and `ipynb` or
`text` a line); the file lies in `CORPUS/owner+name/path`. It is never committed: the words are those of others.
Each notebook is built alone, and each repository as a site; with `--execute never`, so nothing runs. WORK keeps
what was built; without it, it is removed as soon as it is compared.

Compared are exit codes, findings, other messages, names of files, and every byte of every file. Where bytes differ,
these are told apart, and nothing is passed over in silence:

- nbc's own styles and scripts, in a page or beside it. Each pair of versions of one is listed once, with its lines;
- what follows from bytes elsewhere: digests in a policy, a link or the manifest, sizes, names with a digest. Each is
  looked up: a digest that is of no part of the page or site stays as it is;
- pictures, sound and film that are the same without metadata, by this file's own reading of them;
- what an issue asked for, see `ASKED_FOR`;
- everything else, as lines of a diff, which is counted by the shape of the lines.

The exit code is 1 if a page differs for another reason than the first four, or if a corpus or a program is absent.
"""

from __future__ import annotations

import base64
import binascii
import collections
import concurrent.futures
import difflib
import functools
import hashlib
import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import typing

AT_ONCE = int(os.environ.get("AT_ONCE", "2"))
SECONDS = 900
PART = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)
DIGEST = re.compile(r"sha384-[A-Za-z0-9+/]{64}")
ASSET = re.compile(r"^assets/([\w-]+)\.[0-9a-f]{16}\.(css|js)$")
PICTURE = re.compile(r"data:(?:image|video|audio)/(png|jpeg|gif|webp|svg\+xml|mp4|mpeg);base64,([A-Za-z0-9+/=]+)")
VARYING = re.compile(r"/tmp/[\w./-]+|\b\d+(?:\.\d+)? (?:ms|s)\b")
HOME = re.compile(r"(?i)\b[a-z]:\\users\\[^\\\s<]+")
# A head of a warning, in the text of an output.
WARNS = re.compile(r":\d+: (?:<[^<>]*>)*[\w.]+: ")
# A line of a page holds much: a difference is shown from the tag before it.
BREAK = re.compile(r"(?=<[a-zA-Z/])")

Site = dict[str, bytes]


class Built(typing.NamedTuple):
    code: int
    findings: list[str]
    messages: str
    files: Site


class Verdict(typing.NamedTuple):
    """Reasons with the number of files, and lines that have none of the reasons that pass."""

    name: str
    reasons: dict[str, int]
    lines: list[str]


def sha384(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def build(program: str, cache: pathlib.Path, corpus: pathlib.Path, unit: str, out: pathlib.Path) -> Built:
    notes = out.with_name(out.name + ".json")
    if not notes.exists():
        shutil.rmtree(out, ignore_errors=True)
        layout = "single" if (corpus / unit).is_file() else "site"
        command = [program, "build", unit, "--execute", "never", "--no-cache", "--allow-errors", "--layout", layout, "--format", "json", "-o", str(out)]
        environment = {**os.environ, "NBC_CACHE_DIR": str(cache), "NO_COLOR": "1"}
        command += ["--keep-going"] if layout == "site" else []
        done = subprocess.run(["nice", *command], cwd=corpus, env=environment, capture_output=True, text=True, timeout=SECONDS)
        notes.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    code, results, messages = json.loads(notes.read_text())
    try:
        findings = sorted(json.dumps(it, sort_keys=True) for it in json.loads(results or "[]"))
    except ValueError:
        findings = [results]
    files = {str(it.relative_to(out)): it.read_bytes() for it in sorted(out.rglob("*")) if it.is_file()}
    messages = messages.replace(str(out), "OUT").replace(out.name, "OUT")
    return Built(code, findings, VARYING.sub("…", messages), files)


# Pictures without metadata. Chunks of a PNG that change what is seen; a profile counts without its name.
SEEN = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"pHYs", b"sBIT", b"bKGD", b"acTL", b"fcTL", b"fdAT")


def png(data: bytes) -> bytes:
    kept, at = b"", 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind in SEEN:
            kept += data[at : at + 12 + size]
        elif kind == b"iCCP":
            kept += data[at + 8 : at + 8 + size].partition(b"\0")[2]
        at += 12 + size
        if kind == b"IEND":
            break
    return kept


def jpeg(data: bytes) -> bytes:
    kept, at = b"", 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if kind == 0xDA:
            end = data.rfind(b"\xff\xd9")
            return kept + data[at : end if end > at else len(data)]
        if not (kind == 0xFE or (0xE0 <= kind <= 0xEF and not body.startswith((b"ICC_PROFILE", b"Adobe")))):
            kept += data[at : at + 2 + size]
        at += 2 + size
    return data


def svg(data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    text = re.sub(r"<!--.*?-->|<metadata\b.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE[^>]*>|<(?:title|desc)\b.*?</(?:title|desc)>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", text).strip().encode()


def gif(data: bytes) -> bytes:
    return re.sub(rb"\x21\xfe(?:[\x01-\xff].*?)?\x00", b"", data, count=1, flags=re.DOTALL)


STRIPPED = {"png": png, "jpeg": jpeg, "svg+xml": svg, "gif": gif}


def bare(found: re.Match[str]) -> str:
    kind, text = found.groups()
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return found.group(0)
    return f"data:{kind};" + sha384(STRIPPED.get(kind, bytes)(data))


# Sound and film: the boxes of MP4 that hold pictures and times, an MP3 without its tag and the first frame, which holds one.


def mp4(data: bytes) -> bytes:
    kept, at = b"", 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size < 8:
            return data
        body = data[at + 8 : at + size]
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            kept += kind + mp4(body)
        elif kind == b"stsd":
            # The name of the program that compressed a film, and boxes of nobody's standard.
            body = re.sub(rb"((?:avc1|hvc1|mp4v).{42}).{32}", rb"\1", body, flags=re.DOTALL)
            kept += re.sub(rb"(?:uuid|free).{20}", b"", body, flags=re.DOTALL)
        elif kind not in (b"free", b"udta", b"iods", b"meta", b"hdlr"):
            kept += kind + body
        at += size
    return kept


def mp3(data: bytes) -> bytes:
    if data.startswith(b"ID3"):
        size = functools.reduce(lambda sum, it: sum * 128 + it, data[6:10], 0)
        data = data[10 + size :]
    second = data.find(b"\xff\xfb", 4)
    return data[second:] if 0 < second < 3000 else data


STRIPPED |= {"mp4": mp4, "mpeg": mp3}


# nbc's own parts of a page or site, under names that do not depend on the version.


class Own:
    """nbc's own styles and scripts in one site, and the digests of all its files."""

    def __init__(self, files: Site) -> None:
        self.parts: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.names: dict[str, str] = {}
        for path, data in files.items():
            asset = ASSET.match(path)
            name = f"assets/{asset[1]}.{asset[2]}" if asset else path
            self.names[path] = name
            self.digests[sha384(data)] = name
            if asset:
                self.parts[name] = data.decode("utf-8", "replace")
            elif path.endswith(".html"):
                for kind, text in PART.findall(data.decode("utf-8", "replace")):
                    place = f"<{kind}> " + (re.sub(r"\s+", " ", text)[:48])
                    self.parts[place] = text
                    self.digests[sha384(text.encode())] = place

    def manifest(self, text: str, files: Site) -> str:
        """The manifest without what follows from its files, in the order of their names here."""
        whole = json.loads(text)
        for entry in whole["files"]:
            data = files.get(entry["path"], b"")
            if (entry["bytes"], entry["integrity"]) == (len(data), sha384(data)):
                del entry["bytes"], entry["integrity"]
            entry["path"] = self.names.get(entry["path"], entry["path"])
        whole["files"].sort(key=lambda it: it["path"])
        return self.masked(json.dumps(whole, indent=1, ensure_ascii=False))

    def masked(self, text: str) -> str:
        """The text with its own parts, and what follows from them, by name."""
        text = PART.sub(lambda it: f"<{it[1]}> " + re.sub(r"\s+", " ", it[2])[:48], text)
        for path, name in self.names.items():
            if path != name:
                text = text.replace(path, name).replace(path.removeprefix("assets/"), name.removeprefix("assets/"))
        text = DIGEST.sub(lambda it: "digest of " + self.digests.get(it[0], it[0]), text)
        return text


def lines_of(lines: list[str]) -> list[str]:
    return [line for whole in lines for line in BREAK.split(whole) if line]


def changes(before: list[str], after: list[str]) -> list[tuple[str, int, int, int, int]]:
    """Differences, after the lines that both begin and end with."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    one, two = before[start : len(before) - end], after[start : len(after) - end]
    found = difflib.SequenceMatcher(None, one, two, autojunk=len(one) + len(two) > 4000).get_opcodes()
    return [(kind, a + start, b + start, c + start, d + start) for kind, a, b, c, d in found if kind != "equal"]


def differing(old: str, new: str, most: int = 400) -> list[str]:
    """The lines that differ, without the place: first whole lines, then their tags."""
    before, after = old.split("\n"), new.split("\n")
    found: list[str] = []
    for _, one, two, three, four in changes(before, after):
        diff = difflib.unified_diff(lines_of(before[one:two]), lines_of(after[three:four]), lineterm="", n=0)
        found += [it for it in diff if not it.startswith(("---", "+++", "@@"))]
        if len(found) > most:
            return [*found[:most], "-and more"]
    return found


# Differences that an issue asked for: each function takes them out of both texts.


def names_of_files(old: str, new: str) -> tuple[str, str]:
    return old, re.sub(r'(<span class="(?:bar-home|file-name)") dir="ltr">', r"\1>", new) if ' dir="ltr">' not in old.split('class="bar-home"')[-1][:11] else new


def code_of_warnings(old: str, new: str) -> tuple[str, str]:
    """Lines of code that Python prints below warnings, which the new pages lack."""
    if old == new or "Warning: " not in old:
        return old, new
    before, after = old.split("\n"), new.split("\n")
    for _, one, two, three, four in reversed(changes(before, after)):
        kept: list[str] = []
        for at in range(one, two):
            # Python takes the blanks around the line and writes two before it.
            is_code = re.match(r"  (?! )", before[at]) and any(map(WARNS.search, before[max(0, at - 12) : at]))
            if is_code and at == two - 1 and "<" in before[at]:
                # The end of the output is in the same line.
                kept.append(before[at][before[at].index("<") :])
            elif not is_code:
                kept.append(before[at])
        if HOME.sub("~", "\n".join(kept)) in ("\n".join(after[three:four]), "\n".join([*after[three:four], ""])) or not kept and three == four:
            before[one:two] = after[three:four]
    return "\n".join(before), new


def line_by_line(old: str, new: str, change: typing.Callable[[str], str]) -> tuple[str, str]:
    """The old text with changed lines where that makes them the new ones."""
    if old == new:
        return old, new
    before, after = old.split("\n"), new.split("\n")
    for _, one, two, three, four in changes(before, after):
        if two - one == four - three:
            for at, other in zip(range(one, two), after[three:four]):
                if change(before[at]) == other:
                    before[at] = other
    return "\n".join(before), new


def homes(old: str, new: str) -> tuple[str, str]:
    return line_by_line(old, new, lambda line: HOME.sub("~", line))


def fields(old: str, new: str) -> tuple[str, str]:
    return line_by_line(old, new, lambda line: re.sub(r"<input\b[^>]*>", "", line))


ASKED_FOR = {
    "homes of other systems are masked (issue 13)": homes,
    "fields to type into do not become boxes to mark (issue 13)": fields,
    "names of files are written from left to right (issue 13)": names_of_files,
    "stored warnings hold no line of code (issue 13)": code_of_warnings,
}


def shape(line: str) -> str:
    """The line without what is particular to one notebook."""
    line = html.unescape(line)
    line = re.sub(r"[A-Za-z0-9+/=]{60,}", "…", line)
    line = re.sub(r'"[^"]{40,}"', '"…"', line)
    return re.sub(r"\d+", "0", line)[:110]


def bare_findings(built: Built) -> list[str]:
    """Findings without the help of NBC301, which issue 14 wrote anew."""
    found = [json.loads(it) if it.startswith("{") else it for it in built.findings]
    return sorted(json.dumps({**it, "help": None} if isinstance(it, dict) and it["code"] == "NBC301" else it, sort_keys=True) for it in found)


def told_fields(old: Built, new: Built) -> list[str]:
    """The new findings, with the old words where only a field was removed since: it takes its attributes with it."""
    gone = [it for it in old.findings if it not in new.findings and '"NBC401"' in it]
    found = list(new.findings)
    for place, text in enumerate(new.findings):
        if "`<input>` field" in text and text not in old.findings:
            here = json.loads(text)["location"]
            found[place] = next((it for it in gone if json.loads(it)["location"] == here), text)
    return sorted(found)


class Seen:
    """Differences of one notebook or site: reasons, and lines without one."""

    def __init__(self) -> None:
        self.reasons: dict[str, int] = collections.Counter()
        self.lines: list[str] = []


def compare_words(old: Built, new: Built, seen: Seen) -> None:
    if old.code != new.code:
        seen.reasons["exit code"] = 1
        seen.lines.append(f"exit code {old.code} to {new.code}")
    told = new._replace(findings=told_fields(old, new))
    if told.findings != new.findings:
        seen.reasons["fields are told as removed, NBC401 (issue 13)"] = 1
    if old.findings != told.findings and bare_findings(old) == bare_findings(told):
        seen.reasons["words of help of NBC301 (what a run sees, issue 14)"] = 1
        told = old
    before, after = collections.Counter(old.findings), collections.Counter(told.findings)
    for sign, found in (("-", before - after), ("+", after - before)):
        for it in found.elements():
            finding = json.loads(it) if it.startswith("{") else {"code": "", "message": it[:200]}
            seen.lines.append(f"{sign}finding {finding['code']} {finding['message']}")
            seen.reasons["findings"] += 1
    if old.messages == new.messages:
        return
    if sorted(old.messages.split("\n")) == sorted(new.messages.split("\n")):
        seen.reasons["order of messages of notebooks that are built at once"] = 1
    else:
        seen.reasons["messages"] = 1
        seen.lines += ["message " + it for it in differing(old.messages, new.messages, 20)]


def compare_text(place: str, one: str, two: str, seen: Seen) -> None:
    """A page or the manifest, of which nbc's own parts are names already."""
    seen.reasons[f"{place if place == 'manifest.json' else 'a page'}: own parts, and what follows from them"] = 1
    for reason, change in ASKED_FOR.items():
        changed = change(one, two)
        if changed != (one, two):
            one, two = changed
            seen.reasons[reason] = 1
    if one != two and PICTURE.search(one):
        pictures = PICTURE.findall(one), PICTURE.findall(two)
        if pictures[0] != pictures[1] and len(pictures[0]) == len(pictures[1]):
            seen.reasons["metadata of pictures, sound and film (issue 13)"] = 1
        one, two = PICTURE.sub(bare, one), PICTURE.sub(bare, two)
    if one != two:
        seen.reasons["page" if place.endswith(".html") else "file"] += 1
        seen.lines += [f"{it[0]}{place}: {it[1:]}" for it in differing(one, two)]


def compare(name: str, old: Built, new: Built, pairs: dict[tuple[str, str], int]) -> Verdict:
    seen = Seen()
    compare_words(old, new, seen)
    mine, yours = Own(old.files), Own(new.files)
    before = {mine.names[path]: data for path, data in old.files.items()}
    after = {yours.names[path]: data for path, data in new.files.items()}
    for place in sorted(before.keys() ^ after.keys()):
        seen.reasons["files"] += 1
        seen.lines.append(("-" if place in before else "+") + "file " + place)
    for place in sorted(before.keys() & after.keys()):
        if before[place] == after[place] or place in mine.parts:
            continue
        one, two = before[place].decode("utf-8", "surrogateescape"), after[place].decode("utf-8", "surrogateescape")
        if len(PART.findall(one)) != len(PART.findall(two)):
            seen.reasons["number of styles and scripts"] += 1
        if place == "manifest.json":
            one, two = mine.manifest(one, old.files), yours.manifest(two, new.files)
        compare_text(place, mine.masked(one), yours.masked(two), seen)
    for place in mine.parts.keys() & yours.parts.keys():
        if mine.parts[place] != yours.parts[place]:
            pairs[place, "\n".join(differing(mine.parts[place], yours.parts[place]))] += 1
    return Verdict(name, seen.reasons, seen.lines)


def units_of(corpus: pathlib.Path) -> tuple[list[str], list[str], int]:
    """Notebooks, folders of repositories, and how many commits they are of."""
    rows = [line.split("\t") for line in (corpus / "list.tsv").read_text().splitlines()]
    notebooks = [row[0].replace("/", "+", 1) + "/" + row[2] for row in rows]
    repositories = sorted({it.split("/")[0] for it in notebooks})
    return notebooks, repositories, len({(row[0], row[1]) for row in rows})


def main(old: str, new: str, corpus: pathlib.Path, work: pathlib.Path, keep: bool) -> int:
    if not (corpus / "list.tsv").is_file() or not all(os.access(it, os.X_OK) for it in (old, new)):
        print(f"no {corpus}/list.tsv, or no program at {old} or {new}", file=sys.stderr)
        return 1
    notebooks, repositories, commits = units_of(corpus)
    if os.environ.get("ONLY"):
        notebooks = [it for it in notebooks if re.search(os.environ["ONLY"], it)]
        repositories = [it for it in repositories if re.search(os.environ["ONLY"], it)]
    units = [] if os.environ.get("SITES") == "only" else notebooks
    units = units + ([] if os.environ.get("SITES") == "no" else repositories)
    pairs: dict[tuple[str, str], int] = collections.Counter()
    tag = {it: hashlib.sha256(pathlib.Path(it).read_bytes()).hexdigest()[:8] for it in (old, new)}

    def one(unit: str) -> Verdict:
        key = hashlib.sha256(unit.encode()).hexdigest()[:16]
        outs = [work / f"{key}-{side}-{tag[it]}" for side, it in (("old", old), ("new", new))]
        results = [build(it, work / f"cache-{tag[it]}", corpus, unit, out) for it, out in zip((old, new), outs)]
        verdict = compare(unit, results[0], results[1], pairs)
        if verdict.lines:
            outs.append(work / f"{key}-again-{tag[old]}")
            again = compare(unit, results[0], build(old, work / f"cache-{tag[old]}", corpus, unit, outs[2]), collections.Counter())
            if again.lines:
                verdict = Verdict(unit, {**verdict.reasons, "OLD differs from itself": 1}, [f"(OLD differs from itself) {it}" for it in verdict.lines])
        if not keep and not verdict.lines:
            for out in outs:
                shutil.rmtree(out, ignore_errors=True)
        return verdict

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = []
        for verdict in pool.map(one, units):
            verdicts.append(verdict)
            if verdict.lines:
                print(f"differs: {verdict.name}: {dict(verdict.reasons)}", flush=True)
    report(verdicts, pairs, len(notebooks), len(repositories), commits)
    return 1 if any(it.lines for it in verdicts) else 0


def report(verdicts: list[Verdict], pairs: dict[tuple[str, str], int], notebooks: int, repositories: int, commits: int) -> None:
    print(f"\n{notebooks} notebooks of {repositories} repositories ({commits} commits), each alone and each repository as a site: {len(verdicts)} builds a version")
    print(f"identical, but for what is explained below: {sum(not it.lines for it in verdicts)}; different: {sum(bool(it.lines) for it in verdicts)}")
    reasons: dict[str, int] = collections.Counter(reason for it in verdicts for reason in it.reasons)
    for reason, number in sorted(reasons.items(), key=lambda it: -it[1]):
        print(f"  {number:5} builds: {reason}")
    print("\nnbc's own parts that differ, in how many builds, and their lines:")
    for (place, text), number in sorted(pairs.items(), key=lambda it: -it[1]):
        found = text.split("\n")
        print(f"  {number:5} {place}: -{sum(it[0] == '-' for it in found)} +{sum(it[0] == '+' for it in found)}")
        for line in found[:4]:
            print(f"          {line[:140]}")
    kinds: dict[str, list[str]] = collections.defaultdict(list)
    for verdict in verdicts:
        for line in verdict.lines:
            kinds[shape(re.sub(r"^([-+])[^:]+\.(?:html|json|txt): ", r"\1", line))].append(verdict.name)
    print("\nother differences by shape: lines, builds, an example")
    for kind, names in sorted(kinds.items(), key=lambda it: -len(set(it[1])))[:120]:
        print(f"  {len(names):5} {len(set(names)):4}  {kind}\n               {names[0]}")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        print(__doc__)
        sys.exit(2)
    if len(sys.argv) == 5:
        pathlib.Path(sys.argv[4]).mkdir(parents=True, exist_ok=True)
        sys.exit(main(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4]), True))
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(main(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(folder), False))

#!/usr/bin/env python3
"""Verify an export of NexTrade's audit trail, on any machine with Python 3.9 or later: `python3 verify.py [--pin KEY]`.

Standard library alone: no network, no NexTrade. Follows the keys from the pinned first one, checks each checkpoint's
Ed25519 signature (RFC 8032), rebuilds each tree (RFC 6962) from its leaves, and finds every event among them, in
order and without a gap. Exit code 0: the export is what was sealed. 1: it is not, and what is wrong is printed.
--pin: the first key as you know it from elsewhere; without it, the export's own word is taken for it.
"""

import argparse
import base64
import binascii
import hashlib
import json
import sys
from pathlib import Path

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


class Wrong(Exception):
    pass


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, message, signature):
    """Ed25519, as RFC 8032, 5.1.7 has it."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(k, a))
    return not (left[0] * right[2] - right[0] * left[2]) % P and not (left[1] * right[2] - right[1] * left[2]) % P


def sha256(data):
    return hashlib.sha256(data).digest()


def roots(leaves, sizes):
    """The RFC 6962 roots of the tree at those sizes."""
    found, peaks, wanted = {}, [], set(sizes)
    for size, leaf in enumerate(leaves, start=1):
        peaks.append(leaf)
        rest = size
        while not rest & 1:
            right = peaks.pop()
            peaks[-1], rest = sha256(b"\x01" + peaks[-1] + right), rest >> 1
        if size in wanted:
            root = peaks[-1]
            for peak in reversed(peaks[:-1]):
                root = sha256(b"\x01" + peak + root)
            found[size] = root
    return found


def root_from(leaf, index, size, path):
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); None where it does not fit the place."""
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = sha256(b"\x01" + sibling + root)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            root = sha256(b"\x01" + root + sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 and index < size else None


def take_apart(note):
    text, _, signatures = note.rpartition("\n\n")
    found = []
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        blob = base64.b64decode(encoded, validate=True)
        if dash != "—" or len(blob) != 68:
            raise Wrong("a line of signatures is none")
        found.append((name, blob[:4].hex(), blob[4:]))
    if not text or not found:
        raise Wrong("that is no signed note")
    return text + "\n", found


def parse_key(text):
    name, key_id, encoded = text.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if len(raw) != 33 or raw[:1] != b"\x01" or sha256(name.encode() + b"\n" + raw)[:4].hex() != key_id:
        raise Wrong("that is no Ed25519 key of a signed note")
    return name, key_id, raw[1:]


def signers(note, keys, at):
    """Ids of the keys, in force at that moment, that signed the note."""
    text, signatures = take_apart(note)
    return {
        key_id
        for name, key_id, signature in signatures
        if key_id in keys
        and keys[key_id]["name"] == name
        and keys[key_id]["since"] <= at
        and not (keys[key_id]["until"] and at > keys[key_id]["until"])
        and is_signed(keys[key_id]["key"], text.encode(), signature)
    }


def follow(statements, pin):
    """The keys that the statements lead to from the pinned one; the logs that may have lost events."""
    keys, purged = {}, set()
    for note in statements:
        text, signatures = take_apart(note)
        _origin, kind, subject, time, *facts = text.splitlines()
        at = time[len("time ") :]
        by = {key_id for key_id in signers(note, keys, at) if not keys[key_id]["revoked"]}
        if kind == "introduce":
            name, new_id, key = parse_key(subject)
            own = any(key_id == new_id and is_signed(key, text.encode(), value) for _, key_id, value in signatures)
            if not own or (keys and not by) or (not keys and subject != pin) or new_id in keys:
                raise Wrong(f"key {new_id} is not the pinned one, nor vouched for by one in force")
            for known in keys.values():
                known["until"] = known["until"] or at
            keys[new_id] = {"name": name, "key": key, "since": at, "until": "", "revoked": ""}
        elif kind == "revoke" and subject in keys and by - {subject}:
            moments = [fact[len("from ") :] for fact in facts if fact.startswith("from ")]
            keys[subject]["revoked"] = moments[0] if moments else at
        elif kind in ("restore", "purge") and by:
            purged |= {subject} if kind == "purge" else set()
        else:
            raise Wrong(f"a statement ({kind}) is not signed by a key in force")
    return keys, purged


def verify(folder, pin=None):
    """What is wrong, and a report's lines."""
    wrong, lines = [], []
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name, digest in manifest["files"].items():
        file = folder / name
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} is missing or altered")
    present = {str(file.relative_to(folder)).replace("\\", "/") for file in folder.rglob("*") if file.is_file()}
    wrong += [f"{name} is not of the export" for name in sorted(present - set(manifest["files"]) - {"manifest.json"})]
    if wrong:
        return wrong, lines
    stated = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
    keys, purged = follow(stated["statements"], pin or stated["pin"])
    anchored = {item["note"]: item["at"] for item in json.loads((folder / "anchors.json").read_text(encoding="utf-8"))}
    events = (folder / "events.jsonl").read_bytes().split(b"\n")[:-1]
    if "proofs" in manifest:
        return verify_dossier(folder, manifest, keys, anchored, events)
    counts, place = {}, 0
    for log in manifest["logs"]:
        name, first, stop = log["log"], log["first"], log["stop"]
        data = (folder / log["leaves"]).read_bytes()
        leaves = [data[start : start + 32] for start in range(0, len(data), 32)]
        checkpoints = [(folder / file).read_text(encoding="utf-8") for file in log["checkpoints"]]
        parsed = [take_apart(note)[0].splitlines() for note in checkpoints]
        found = roots(leaves, [int(lines_[1]) for lines_ in parsed])
        for note, (origin, size, root, time, *_rest) in zip(checkpoints, parsed):
            at = time[len("time ") :]
            by = signers(note, keys, at)
            limits = [keys[key_id]["revoked"] for key_id in by]
            seen = anchored.get(note, "")
            if not by or (all(limits) and not (seen and seen < max(limits) and at < max(limits))):
                wrong.append(f"{name} at {size}: not signed by a key in force")
            if not origin.endswith("/" + name):
                wrong.append(f"{name} at {size}: is of another log, {origin}")
            if found.get(int(size)) != base64.b64decode(root):
                wrong.append(f"{name} at {size}: the leaves do not lead to the signed root")
        if not parsed or int(parsed[-1][1]) != len(leaves):
            wrong.append(f"{name}: {len(leaves)} leaves, and the last checkpoint is not of all of them")
        lost = 0
        for index in range(first, stop):
            line = events[place] if place < len(events) else b""
            if sha256(b"\x00" + line) == leaves[index]:
                place += 1
                kind = json.loads(line)["type"]
                counts[kind] = counts.get(kind, 0) + 1
            elif name in purged:
                lost += 1
            else:
                wrong.append(f"{name}, leaf {index}: the event is missing, altered or out of order")
                place += 1
        newest = max((anchored[note] for note in checkpoints if note in anchored), default="never")
        lines.append(f"{name}: events {first} to {stop} of {len(leaves)}, {lost} purged, newest anchor {newest}")
    if place != len(events):
        wrong.append(f"{len(events) - place} lines are of no leaf")
    lines.append(f"{len(events)} events: " + ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items())))
    lines.append(f"range {manifest['from']} to {manifest['to']}, keys: {', '.join(keys)}")
    return wrong, lines


def verify_dossier(folder, manifest, keys, anchored, events):
    """Of one matter's file: each event's path to a signed checkpoint, and what the events say of the other files."""
    wrong, lines = [], []
    proofs = json.loads((folder / manifest["proofs"]).read_text(encoding="utf-8"))
    if len(proofs) != len(events):
        wrong.append(f"{len(events)} events and {len(proofs)} proofs")
    for number, (line, proof) in enumerate(zip(events, proofs), start=1):
        note = (folder / proof["checkpoint"]).read_text(encoding="utf-8")
        origin, size, root, time, *_rest = take_apart(note)[0].splitlines()
        path = [base64.b64decode(sibling, validate=True) for sibling in proof["path"]]
        found = root_from(sha256(b"\x00" + line), proof["leaf_index"], int(size), path)
        at, seen = time[len("time ") :], anchored.get(note, "")
        by = signers(note, keys, at)
        limits = [keys[key_id]["revoked"] for key_id in by]
        if found is None or found != base64.b64decode(root):
            wrong.append(f"event {number}: its path does not lead to the signed root")
        if not by or (all(limits) and not (seen and seen < max(limits) and at < max(limits))):
            wrong.append(f"event {number}: its checkpoint is not signed by a key in force")
        if not origin.endswith("/" + proof["log"]):
            wrong.append(f"event {number}: its checkpoint is of another log, {origin}")
    payload = hashlib.sha256((folder / manifest["payload"]).read_bytes()).hexdigest()
    words = json.loads((folder / manifest["words"]).read_text(encoding="utf-8"))
    said = hashlib.sha256((words["salt"] + words["text"]).encode()).hexdigest()
    for number, line in enumerate(events, start=1):
        facts = json.loads(line)
        details = facts["details"]
        lines.append(f"{facts['ts_utc']} {facts['action']} by {facts['actor_pid']}")
        if details.get("payload_sha256", payload) != payload:
            wrong.append(f"event {number}: is about another order than {manifest['payload']}")
        if words["salt"] and details.get("words_sha256", said) != said:
            wrong.append(f"event {number}: {manifest['words']} is not what was said")
    if not words["salt"]:
        lines.append("the words cannot be proved: their salt was erased")
    if manifest["unsealed"]:
        lines.append(f"{len(manifest['unsealed'])} events were not sealed yet and are left out")
    return wrong, lines


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pin", help="the first key as you know it")
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent)
    given = parser.parse_args(arguments)
    try:
        wrong, lines = verify(given.folder, given.pin)
    except (Wrong, ValueError, KeyError, IndexError, TypeError, OSError, binascii.Error) as error:
        wrong, lines = [f"cannot be read: {error!r}"], []
    for line in lines + wrong:
        sys.stdout.write(f"{line}\n")
    digest = hashlib.sha256((given.folder / "manifest.json").read_bytes()).hexdigest()
    sys.stdout.write(f"manifest {digest}\n{'WRONG' if wrong else 'RIGHT'}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Bytes between processes, of which the notebook's own may write any."""

from __future__ import annotations

import os
import random
import socket
import struct
import unittest
from typing import TYPE_CHECKING, Any

from nbc_runner.protocol.channel import Channel, Disconnected
from nbc_runner.protocol.constants import constants
from nbc_runner.states import wire

if TYPE_CHECKING:
    from nbc_runner.protocol.messages import Step

PATH: list[Step] = [{"widget": "a", "value": 3}]


def written(path: list[Step], body: bytes) -> bytes:
    ours, theirs = os.pipe()
    wire.write(theirs, path, body)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        return file.read()


class Frames(unittest.TestCase):
    def test_frames_are_read_however_they_are_cut(self) -> None:
        data = written(PATH, b"{}") + written([], b"1") + wire.END
        found: list[tuple[list[Step], bytes]] = []
        rest = b""
        for byte in data:
            more, rest = wire.frames(rest + bytes([byte]), 100)
            found += more
        self.assertEqual(found, [(PATH, b"{}"), ([], b"1")])
        self.assertEqual(rest, wire.END)

    def test_a_frame_over_its_bound_ends_the_conversation(self) -> None:
        for head in (struct.pack(">II", 2, 101), struct.pack(">II", wire.LARGEST_PATH + 1, 1)):
            found, rest = wire.frames(head, 100)
            self.assertEqual(found, [])
            self.assertGreater(len(rest), 100 + wire.LARGEST_PATH)

    def test_a_path_that_is_none_costs_its_frame_only(self) -> None:
        odd = b'[{"widget":1,"value":0}]'
        data = struct.pack(">II", len(odd), 1) + odd + b"x" + written(PATH, b"y")
        self.assertEqual(wire.frames(data, 100), ([(PATH, b"y")], b""))

    def test_any_bytes_are_frames_or_none(self) -> None:
        numbers = random.Random(2)
        for _ in range(300):
            data = bytearray(written(PATH, b"abc") * 2)
            data[numbers.randrange(len(data))] = numbers.randrange(256)
            for path, body in wire.frames(bytes(data), 50)[0]:
                self.assertTrue(wire.is_path(path))
                self.assertLessEqual(len(body), 50)

    def test_paths_are_held_to_their_form(self) -> None:
        self.assertTrue(wire.is_path([]))
        self.assertTrue(wire.is_path(PATH))
        odd: Any
        for odd in (
            None,
            {},
            [1],
            [{"widget": "a"}],
            [{"widget": "a", "value": True}],
            PATH * (constants.deepest_inputs + 1),
        ):
            self.assertFalse(wire.is_path(odd), odd)
        for value in (-1, 1 << 32, "0", 1.0):
            self.assertFalse(wire.is_path([{"widget": "a", "value": value}]))

    def test_answers_of_replays_are_held_to_their_form(self) -> None:
        good = {"cells": {}, "widgets": [], "below": [["a", 1, [["b"]]]]}
        self.assertTrue(wire.is_answer(good))
        self.assertTrue(wire.is_answer({"lost": "end"}))
        odd: Any
        for odd in (None, [], {}, {"lost": 1}, {"lost": "end", "more": 1}, {**good, "below": None}):
            self.assertFalse(wire.is_answer(odd), odd)
        for below in (["a", 1], [1, 1, []], ["a", -1, []], ["a", 1, ["b"]], ["a", 1, [[1]]], ["a", True, []]):
            self.assertFalse(wire.is_answer({**good, "below": [below]}), below)


class Sockets(unittest.TestCase):
    def test_messages_come_as_they_were_sent(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            wire.send(ours, {"text": "ä" * 1000, "half": "\ud800"})
            self.assertEqual(wire.receive(theirs), {"text": "ä" * 1000, "half": "?"})
            ours.sendall(struct.pack(">I", 3) + b"no!")
            self.assertIsNone(wire.receive(theirs))
            ours.shutdown(socket.SHUT_WR)
            self.assertIsNone(wire.receive(theirs))

    def test_the_channel_keeps_its_frames_and_leaves_for_good(self) -> None:
        ours, theirs = socket.socketpair()
        channel = Channel(theirs.detach())
        with ours:
            wire.send(ours, {"command": "finish"})
            self.assertEqual(channel.receive(), {"command": "finish"})
            channel.send({"half": "\ud800", "not": None})
            self.assertEqual(wire.receive(ours), {"half": "?", "not": None})
            with self.assertRaises(ValueError):
                channel.send({"number": float("nan")})
            channel.leave()
            channel.leave()
            channel.send({"nobody": "hears"})
            self.assertIsNone(wire.receive(ours))

    def test_an_end_that_is_gone_is_told(self) -> None:
        ours, theirs = socket.socketpair()
        channel = Channel(theirs.detach())
        ours.close()
        self.assertIsNone(channel.receive())
        with self.assertRaises(Disconnected):
            channel.send({})
            channel.send({})

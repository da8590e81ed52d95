#!/usr/bin/python3
"""Edits along in a rich-text document: python3 edit.py ws://127.0.0.1:8080 acme/plan hello world

Appends the words, each once the one before is durable, and prints the text after every commit until
Ctrl-C. Needs Debian's python3-websockets. The rule ids are those of docs/protocol.md.
"""
import asyncio, json, secrets, sys
import websockets


def apply(text, delta):
    """A Quill Delta on text kept as UTF-16, two bytes a code unit, because lengths count those (VALUE-4)."""
    at, out = 0, b""
    for step in delta:
        if "insert" in step:  # what is no string is an embed, and counts 1 (RT-1)
            out += (step["insert"] if isinstance(step["insert"], str) else "\ufffc").encode("utf-16-le")
            continue
        end = at + 2 * step.get("retain", step.get("delete"))
        out += text[at:end] if "retain" in step else b""
        at = end
    return out + text[at:]


async def main(url, doc, *words):
    client, words = "py-" + secrets.token_hex(8), iter(enumerate(words, 1))
    async with websockets.connect(url + "/v1/socket", subprotocols=["troupe.v1.json"], max_size=2**25) as ws:
        send = lambda **message: ws.send(json.dumps(message))
        await send(type="hello", client=client)
        await send(type="open", doc=doc, kind="rich-text")
        async for frame in ws:
            message, mine = json.loads(frame), False
            if message["type"] == "welcome":
                pings = asyncio.create_task(ping(send, message["limits"]["pingMs"] / 1000))  # kept, or it is collected
            elif message["type"] == "opened":
                text, version, mine = apply(b"", message["snapshot"]), message["version"], True
            elif message["type"] == "commit":  # ops are already transformed: apply them in order (SUBMIT-7)
                for commit in message["ops"]:
                    text, mine = apply(text, commit["op"]), mine or commit["client"] == client
                version = message["version"]
                print(version, text.decode("utf-16-le").rstrip("\n"), flush=True)
            elif message["type"] in ("error", "reject"):
                sys.exit(f"{message['code']}: {message['message']}")
            if mine and (word := next(words, None)):  # before the final newline, on what we hold (SUBMIT-1)
                end = len(text) // 2 - 1
                op = [{"retain": end}] * (end > 0) + [{"insert": word[1] + " "}]
                await send(type="submit", doc=doc, seq=word[0], base=version, op=op)


async def ping(send, seconds):
    while True:  # PING-1
        await asyncio.sleep(seconds)
        await send(type="ping")


try:
    asyncio.run(main(*sys.argv[1:]))
except (KeyboardInterrupt, OSError, websockets.WebSocketException) as end:
    sys.exit(f"ended: {end!r}")

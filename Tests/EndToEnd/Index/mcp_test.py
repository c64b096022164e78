#!/usr/bin/env python3
"""An agent's view of an index through the mcp package of PyPI, over both transports: python3 mcp_test.py Q3."""
import asyncio, http.client, json, os, re, subprocess, sys, tempfile
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

q3 = os.path.abspath(sys.argv[1])
root = os.path.abspath(f"{os.path.dirname(os.path.abspath(__file__))}/../../..")
failed = lambda answer: answer.is_error


async def talk(streams):
    """What both transports must give; returns the answers to compare."""
    async with ClientSession(streams[0], streams[1]) as session:
        hello = await session.initialize()
        assert hello.server_info.name == "q3", hello
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == {"search", "get", "status"}, tools
        found = await session.call_tool("search", {"query": "how to run the tests", "limit": 3})
        hits = found.structured_content["hits"]
        assert not failed(found) and len(hits) == 3
        assert "CONTRIBUTING.md" in found.content[0].text
        whole = await session.call_tool("get", {"document": hits[0]["document"]})
        assert hits[0]["text"][:40] in whole.content[0].text
        rest = await session.call_tool("get", {"document": hits[0]["document"], "from_chunk": hits[0]["chunk"]})
        assert rest.structured_content["chunks"][0]["chunk"] == hits[0]["chunk"]
        status = json.loads((await session.call_tool("status", {})).content[0].text)
        assert status["documents"] == 2 and status["model"] == "q3-mini"
        for arguments in [{}, {"query": 5}, {"query": "x", "limit": 0}, {"query": "x", "where": ["bad"]},
                          {"query": "x", "index": "other"}, {"query": "x", "count": 3}, {"query": "x", "rerank": True}]:
            answer = await session.call_tool("search", arguments)
            assert failed(answer) and answer.content[0].text, (arguments, answer)
        assert failed(await session.call_tool("get", {"document": 10**9}))
        await session.send_ping()
        return [tools["search"].input_schema, hits, whole.content[0].text, status]


def hostile_lines(index):
    """What no client sends."""
    lines = ["", "{", "[]", "5", "{\"jsonrpc\":\"2.0\",\"id\":1}", "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"no\"}",
             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
             "[{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]",
             "[" * 5000, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}}"]
    result = subprocess.run([q3, "mcp", "--index", index], input="\n".join(lines), capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    codes = [answer["error"]["code"] if isinstance(answer, dict) and "error" in answer else 0 for answer in answers]
    assert codes == [-32700, -32600, -32600, -32600, -32601, 0, 0, -32700, -32602], codes


def origins(port):
    """A page of another site may not ask."""
    for origin, expected in [(None, 200), (f"http://127.0.0.1:{port}", 200), ("https://evil.example", 403)]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if origin: headers["Origin"] = origin
        connection.request("POST", "/mcp", '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers)
        assert connection.getresponse().status == expected, origin
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/mcp", headers={"Accept": "text/event-stream"})
    assert connection.getresponse().status == 405


async def main(folder):
    index = f"{folder}/notes.q3i"
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([q3, "index", "create", index], **quiet)
    subprocess.run([q3, "index", "add", index, f"{root}/README.md", f"{root}/CONTRIBUTING.md"], **quiet)
    async with stdio_client(StdioServerParameters(command=q3, args=["mcp", "--index", index])) as streams:
        by_pipe = await talk(streams)
    server = subprocess.Popen([q3, "serve", "--index", index, "--port", "0"], stderr=subprocess.PIPE, text=True)
    try:
        for line in server.stderr:
            if found := re.search(r"listens on http://127\.0\.0\.1:(\d+)", line): break
        else: raise AssertionError("the server does not start")
        port = int(found[1])
        async with streamable_http_client(f"http://127.0.0.1:{port}/mcp") as streams:
            by_http = await talk(streams)
        assert by_http == by_pipe
        # Two agents at once.
        async def one():
            async with streamable_http_client(f"http://127.0.0.1:{port}/mcp") as streams: return await talk(streams)
        assert await asyncio.gather(one(), one()) == [by_pipe, by_pipe]
        origins(port)
    finally:
        server.terminate()
        server.stderr.close()
        assert server.wait(timeout=30) == 0
    hostile_lines(index)
    print("the mcp client and q3 understand each other, by pipe and by HTTP")


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder))

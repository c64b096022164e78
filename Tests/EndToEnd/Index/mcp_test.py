#!/usr/bin/env python3
"""An agent's view of an index through the mcp package of PyPI: python3 mcp_test.py Q3."""
import asyncio, json, os, subprocess, sys, tempfile
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

q3 = os.path.abspath(sys.argv[1])
root = os.path.abspath(f"{os.path.dirname(os.path.abspath(__file__))}/../../..")


async def main(folder):
    index = f"{folder}/notes.q3i"
    subprocess.run([q3, "index", "create", index], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([q3, "index", "add", index, f"{root}/README.md", f"{root}/CONTRIBUTING.md"], check=True,
                   stdout=subprocess.DEVNULL)
    async with stdio_client(StdioServerParameters(command=q3, args=["mcp", "--index", index])) as (read, write):
        async with ClientSession(read, write) as session:
            hello = await session.initialize()
            info = getattr(hello, "serverInfo", None) or hello.server_info
            assert info.name == "q3", hello
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert set(tools) == {"search", "get", "status"}, tools
            found = await session.call_tool("search", {"query": "how to run the tests", "count": 3})
            data = getattr(found, "structuredContent", None) or found.structured_content
            assert not (getattr(found, "isError", False) or getattr(found, "is_error", False)) and len(data["hits"]) == 3
            assert "CONTRIBUTING.md" in found.content[0].text
            whole = await session.call_tool("get", {"document": data["hits"][0]["document"]})
            assert data["hits"][0]["text"][:40] in whole.content[0].text
            status = json.loads((await session.call_tool("status", {})).content[0].text)
            assert status["documents"] == 2 and status["model"] == "q3-mini"
            for arguments in [{}, {"query": 5}, {"query": "x", "count": 0}, {"query": "x", "where": ["bad"]},
                              {"query": "x", "index": "other"}]:
                answer = await session.call_tool("search", arguments)
                assert getattr(answer, "isError", False) or getattr(answer, "is_error", False), (arguments, answer)
            answer = await session.call_tool("get", {"document": 10**9})
            assert getattr(answer, "isError", False) or getattr(answer, "is_error", False)
            await session.send_ping()
    # What no client sends.
    lines = ["", "{", "[]", "5", "{\"jsonrpc\":\"2.0\",\"id\":1}", "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"no\"}",
             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
             "[{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]",
             "[" * 5000, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}}"]
    result = subprocess.run([q3, "mcp", "--index", index], input="\n".join(lines), capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    codes = [answer["error"]["code"] if isinstance(answer, dict) and "error" in answer else 0 for answer in answers]
    assert codes == [-32700, -32600, -32600, -32600, -32601, 0, 0, -32700, -32602], codes
    print("the mcp client and q3 mcp understand each other")


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder))

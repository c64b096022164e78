// Patterns and ignore files against what gitignore(5) says.
import Testing

@testable import Q3Index

@Suite struct GlobTests {
    @Test(arguments: [
        ("*.md", "a.md", true), ("*.md", "b/a.md", false), ("**/*.md", "a.md", true), ("**/*.md", "b/c/a.md", true),
        ("docs/**", "docs/a", true), ("docs/**", "docs/a/b", true), ("docs/**", "doc", false), ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true), ("a?c", "abc", true), ("a?c", "a/c", false), ("[a-c]x", "bx", true),
        ("[!a-c]x", "bx", false), ("[]]x", "]x", true), ("[x", "[x", true), ("\\*", "*", true), ("\\*", "a", false),
        ("", "", true),
        ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ])
    func `a pattern matches what it should`(pattern: String, path: String, expected: Bool) {
        #expect(GlobPattern(pattern.utf8).matches(Array(path.utf8)[...]) == expected)
    }

    @Test func `the last rule that matches decides`() {
        var rules = IgnoreRules()
        rules.add(Array("# comment\n*.o\n!keep.o\n/build\nlogs/\nsrc/gen\n\\#odd\n trailing  \n".utf8), prefix: [])
        rules.add(Array("*.tmp\n/x\n".utf8), prefix: Array("sub/".utf8))
        func ignores(_ path: String, _ isFolder: Bool = false) -> Bool {
            rules.ignores(Array(path.utf8), isFolder: isFolder)
        }
        #expect(ignores("a.o") && ignores("deep/a.o") && !ignores("deep/keep.o"))
        #expect(ignores("build", true) && !ignores("sub/build", true))
        #expect(ignores("logs", true) && !ignores("logs"))
        #expect(ignores("src/gen", true) && !ignores("other/src/gen", true))
        #expect(ignores("#odd") && !ignores("comment"))
        #expect(ignores("sub/a.tmp") && ignores("sub/x") && !ignores("sub/y/x"))
    }
}

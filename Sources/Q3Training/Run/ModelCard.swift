// What was learned from what, how, and how good it is: a page in Markdown beside the result.

/// A page of sections, each a table of names and values or lines of text.
public struct ModelCard: Sendable {
    private var sections: [String] = []

    /// A page with a headline and a first paragraph.
    public init(title: String, summary: String) {
        sections.append("# \(Self.line(title))\n\n\(summary)")
    }

    /// Adds a table of names and values.
    public mutating func add(_ title: String, table rows: [(name: String, value: String)]) {
        let lines = rows.map { "| \(Self.cell($0.name)) | \(Self.cell($0.value)) |" }
        sections.append("## \(title)\n\n| | |\n|---|---|\n\(lines.joined(separator: "\n"))")
    }

    /// Adds lines that keep their columns.
    public mutating func add(_ title: String, lines: [String]) {
        let fence = "```"
        sections.append("## \(title)\n\n\(fence)\n\(lines.joined(separator: "\n"))\n\(fence)")
    }

    /// The whole page.
    public var markdown: String { sections.joined(separator: "\n\n") + "\n" }

    private static func line(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// Names of files may hold what would end a cell.
    private static func cell(_ text: String) -> String { line(text).replacing("|", with: "\\|") }
}

// The prompt of a reranker as a template: constant text with holes for the query, the document and an instruction.
import Q3Model

/// Constant parts and holes of a prompt, in order.
package struct RerankTemplate: Sendable, Equatable {
    package enum Part: Sendable, Equatable {
        case text(String)
        case query, document, instruction
    }

    package let parts: [Part]
    /// The template with its holes written out.
    package let text: String

    package var hasInstruction: Bool { parts.contains(.instruction) }

    private static let holes: [(name: String, part: Part)] = [
        ("{query}", .query), ("{document}", .document), ("{instruction}", .instruction),
    ]
    /// The longest template, in bytes: ten times the official ones.
    private static let byteLimit = 1 << 13

    /// Reads a template with the holes {query}, {document} and, if it takes one, {instruction}, as llama.cpp fills
    /// them. The default instruction of the card written out is a hole too. Throws `RerankError.template` for another
    /// form.
    package init(_ template: String) throws(RerankError) {
        guard template.utf8.count <= Self.byteLimit else {
            throw .template("it has \(template.utf8.count) bytes, expected at most \(Self.byteLimit)")
        }
        for sign in ["{{", "{%", "{#"] where template.contains(sign) {
            throw .template("it is a Jinja program (\(sign))")
        }
        var text = template
        if !text.contains("{instruction}") {
            text = text.replacingFirst(Qwen3Schema.webSearchTask, with: "{instruction}")
        }
        var parts: [Part] = []
        var constant = ""
        var rest = text[...]
        while let character = rest.first {
            if let hole = Self.holes.first(where: { rest.hasPrefix($0.name) }) {
                if !constant.isEmpty { parts.append(.text(constant)) }
                constant = ""
                parts.append(hole.part)
                rest = rest.dropFirst(hole.name.count)
            } else {
                constant.append(character)
                rest = rest.dropFirst()
            }
        }
        if !constant.isEmpty { parts.append(.text(constant)) }
        for (name, part) in Self.holes {
            let count = parts.count { $0 == part }
            guard count == 1 || part == .instruction && count == 0 else {
                throw .template("it has \(name) \(count) times, expected once")
            }
        }
        self.parts = parts
        self.text = text
    }
}

// q3 tokenize: the tokens of texts, with their pieces and where they lie in the text.
import ArgumentParser
import Q3GGUF
import Q3Input
import Q3System
import Q3Tokenizer

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Shows the tokens of texts.",
        usage: "q3 tokenize [--model FILE] [OPTION ...] [TEXT ...]",
        discussion: """
            Nothing is added to a text, neither prompt nor <|endoftext|>. Offsets are
            bytes of the text as given, before it is put into NFC; tokens of a stretch
            that NFC changed share the stretch.

            The text format is a line per token (id, offsets and piece with tabs between)
            and an empty line after each text. A jsonl line is {"index", "id"?, "ids",
            "pieces", "offsets"}; bytes of a piece that are not UTF-8 by themselves show as
            U+FFFD.

            EXAMPLES
              q3 tokenize -m embedding.gguf "Hello world"
              q3 tokenize -m embedding.gguf --format jsonl -i lines.txt
              q3 tokenize -m embedding.gguf --parse-special "<|im_start|>user"
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, jsonl
    }

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The model: a GGUF file, also one without weights, or a name from 'q3 list'. (default: q3-mini, built in)",
            valueName: "model"),
        completion: ModelNames.completion)
    var model: String?

    @Flag(help: "Read <|im_end|> and the like as control tokens.")
    var parseSpecial = false

    @Option(help: "Form of the output.")
    var format: Format = .text

    @OptionGroup var input: InputArguments
    @OptionGroup var output: OutputArguments

    @Argument(help: "Texts to tokenize.")
    var text: [String] = []

    func run() throws {
        let source = try input.source(arguments: text, what: "texts")
        let records = try input.documents(source)
        let file = try OutputFile(path: output.output, inputs: source.paths + [try? modelPath(model)])
        let tokenizer = try opening(model) { try Tokenizer(metadata: $0.metadata) }
        var rejections = Rejections(strict: input.strict || source.isArguments)
        while let record = try records.next() {
            guard let content = try rejections.content(of: record) else { continue }
            let pieces = tokenizer.encodeWithOffsets(content, parseSpecial: parseSpecial)
            var text = JSONText()
            switch format {
            case .text: appendText(pieces, tokenizer, to: &text)
            case .jsonl: appendJSON(record, pieces, tokenizer, to: &text)
            }
            try file.write(text.bytes)
        }
        try file.finish()
        try rejections.finish()
    }

    private func appendText(_ pieces: [TokenPiece], _ tokenizer: Tokenizer, to text: inout JSONText) {
        for piece in pieces {
            text.append("\(piece.id)\t\(piece.range.lowerBound)-\(piece.range.upperBound)\t")
            text.append(String(decoding: tokenizer.piece(piece.id), as: UTF8.self).escapedForTerminal)
            text.append("\n")
        }
        text.append("\n")
    }

    private func appendJSON(
        _ record: Record<String>, _ pieces: [TokenPiece], _ tokenizer: Tokenizer, to text: inout JSONText
    ) {
        text.append("{\"index\":\(record.index)")
        text.append(idField: record.id)
        text.append(",\"ids\":[")
        text.append(pieces.map(\.id))
        text.append("],\"pieces\":[")
        text.append(pieces.map { JSONText.quoted(String(decoding: tokenizer.piece($0.id), as: UTF8.self)) })
        text.append("],\"offsets\":[")
        text.append(pieces.map { "[\($0.range.lowerBound),\($0.range.upperBound)]" })
        text.append("]}\n")
    }
}

// q3 verify: whether a model file is whole: its structure, every weight, its hash, and that it computes.
import ArgumentParser
import Q3Catalog
import Q3Convert
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Pull
import Q3Reranking
import Q3System

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks a model file: structure, weights, hash, and a text.",
        usage: "q3 verify [--sha256 HEX] [--json] MODEL",
        discussion: """
            Opens the file as embedding and reranking do; decodes every weight, of which
            each must be a finite number; computes the SHA-256 and compares it with
            --sha256, with what 'q3 pull' noted, and with the list of 'q3 list', as far as
            there are such; and embeds a text, or scores a pair, alone and in a batch,
            which must give the same bits.

            MODEL is a file, or a name as for --model.

            EXAMPLES
              q3 verify embedding.gguf
              q3 verify qwen3-embedding-0.6b-q8_0 --json
            """)

    @Option(name: .customLong("sha256"), help: "The SHA-256 that the file must have.")
    var digest: SHA256Digest?

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var computing: ComputingArguments

    @Argument(help: "The model.", completion: ModelNames.completion)
    var model: String

    func run() async throws {
        let head: Head = try opening(model, copying: computing.noMmap) { file in
            try ModelRole(of: file, asked: computing.role).kind == .reranker
                ? .reranker(Reranker(file: file, options: computing.options))
                : .embedder(Embedder(file: file, options: computing.options))
        }
        do {
            let weights = try checkWeights(of: head.file)
            let (found, agreeing) = try checkHash(of: head.file)
            let canary = try await checkCanary(of: head)
            try head.file.checkUnchanged()
            try tell(head, weights, found, agreeing, canary)
        } catch {
            throw Failure(error, model: head.file.path)
        }
    }

    private enum Head {
        case embedder(Embedder)
        case reranker(Reranker)

        var file: GGUFFile {
            switch self {
            case .embedder(let embedder): embedder.model.file
            case .reranker(let reranker): reranker.model.file
            }
        }
    }

    private func checkWeights(of file: GGUFFile) throws -> WeightReport {
        let line = ProgressLine()
        let report = try WeightCheck.run(
            file, options: ConversionOutput.options(threads: computing.threads, line: line))
        line.finish()
        guard let first = report.faults.first else { return report }
        let others = report.faults.count - 1
        throw Failure(
            .badData,
            "\(file.path): tensor \(first.tensor.escapedForTerminal) has a weight that is not a finite number, in block "
                + "\(first.block) of type \(first.type.name)\(others == 0 ? "" : ", and \(others) other tensors are damaged too")"
                + "; download or convert it again")
    }

    /// The file's hash, and who else has the same one.
    private func checkHash(of file: GGUFFile) throws -> (SHA256Digest, agreeing: [String]) {
        let line = ProgressLine()
        let found = try SHA256Digest(of: file) { progress in line.show { ConversionOutput.line(progress, elapsed: $0) }
        }
        line.finish()
        var agreeing: [String] = []
        func compare(_ expected: SHA256Digest?, _ source: String) throws {
            guard let expected else { return }
            guard expected == found else {
                throw Failure(
                    .badData, "\(file.path): SHA-256 is \(found), but \(source) has \(expected); download it again")
            }
            agreeing.append(source)
        }
        try compare(digest, "--sha256")
        if let record = ModelRecord(ofModel: file.path) { try compare(record.digest, "the record of its download") }
        let environment = Environment.current.values
        let catalog = try Catalog.current(environment: environment)
        let folder = try? ModelFolder(environment: environment)
        let entry = catalog.entries.first {
            $0.name == model.lowercased() || folder?.file($0.source.fileName) == file.path
        }
        try compare(entry?.digest, "models.txt")
        return (found, agreeing)
    }

    /// Computes a text alone and in a batch. Returns the norm of a vector, or a score.
    private func checkCanary(of head: Head) async throws -> Float {
        let (text, other) = ("The canary sings in the mine.", "It is quiet in the mine.")
        switch head {
        case .embedder(let embedder):
            let alone = try await embedder.embed([text])[0].vector
            let together = try await embedder.embed([other, text])[1].vector
            let norm = Similarity.dot(alone, alone).squareRoot()
            guard abs(norm - 1) < 1e-4 else {
                throw Failure(.software, "the vector of a text has norm \(norm), expected 1")
            }
            try check(alone.map(\.bitPattern) == together.map(\.bitPattern))
            return norm
        case .reranker(let reranker):
            let alone = try await reranker.rerank("mine", documents: [text])[0].score
            let together = try await reranker.rerank("mine", documents: [other, text]).first { $0.index == 1 }?.score
            guard 0...1 ~= alone else { throw Failure(.software, "the score of a text is \(alone), expected 0 to 1") }
            try check(alone == together)
            return Float(alone)
        }
    }

    private func check(_ isSame: Bool) throws {
        guard isSame else {
            throw Failure(.software, "a text has other results in a batch than alone; please report this processor")
        }
    }

    private func tell(
        _ head: Head, _ weights: WeightReport, _ digest: SHA256Digest, _ agreeing: [String], _ canary: Float
    ) throws {
        let file = head.file
        let isReranker = if case .reranker = head { true } else { false }
        let output = try OutputFile(path: nil, inputs: [])
        guard json else {
            let unread = weights.unreadTensors.isEmpty ? "" : "; \(weights.unreadTensors.count) tensors not read"
            let vouched =
                agreeing.isEmpty ? "nothing to compare it with" : "as \(agreeing.joined(separator: " and ")) has it"
            let lines = [
                "structure  ok: \(file.tensors.count) tensors in \(file.byteCount) bytes",
                "weights    ok: \(weights.valueCount) finite values\(unread)",
                "sha256     \(digest) (\(vouched))",
                isReranker ? "canary     ok: score \(canary)" : "canary     ok: norm \(canary)",
            ]
            return try output.write(Array(lines.map { "\($0)\n" }.joined().utf8))
        }
        var object = JSONObject()
        object.add("path", quoted: file.path)
        object.add("role", quoted: isReranker ? "rerank" : "embed")
        object.add("tensors", file.tensors.count)
        object.add("bytes", file.byteCount)
        object.add("finite_values", weights.valueCount)
        object.add("unread_tensors", "[\(weights.unreadTensors.map(JSONText.quoted).joined(separator: ","))]")
        object.add("sha256", quoted: digest.hex)
        object.add("agreeing", "[\(agreeing.map(JSONText.quoted).joined(separator: ","))]")
        object.add(isReranker ? "canary_score" : "canary_norm", canary)
        try output.write(Array("\(object)\n".utf8))
    }
}

// The forms in which vectors are written, and which of them a file's name asks for.
import ArgumentParser
import Q3Embedding

enum VectorFormat: String, CaseIterable, ExpressibleByArgument {
    case json, jsonl, npy, raw, text, csv

    /// Whether rows carry no index, so that a left-out row would shift all that follow.
    var isPositional: Bool { self == .npy || self == .raw || self == .text }
    var isBinary: Bool { self == .npy || self == .raw }
    /// Whether an unfinished file tells how far it is.
    var isResumable: Bool { self != .json && self != .text }

    /// Endings that name a format.
    private static let endings: [String: VectorFormat] = [
        "npy": .npy, "jsonl": .jsonl, "ndjson": .jsonl, "json": .json, "csv": .csv, "bin": .raw, "raw": .raw,
        "f32": .raw,
    ]

    /// The format of an ending. A format that contradicts it is an error: nobody could read such a file by its name.
    init(_ given: VectorFormat?, output path: String?) throws {
        let ending = path.flatMap { $0.split(separator: "/").last?.split(separator: ".").dropFirst().last }
        let promised = ending.flatMap { Self.endings[$0.lowercased()] }
        if let given, let promised, given != promised, !(given == .raw && promised.isBinary && promised != .npy) {
            throw Failure(
                .usage,
                "--format \(given.rawValue) contradicts the name \(path ?? ""); leave it out, or give another name")
        }
        self = given ?? promised ?? .jsonl
    }
}

// Reads and writes the files of classifiers.
import Q3Analysis
import Q3Input
import Q3Linear
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

enum HeadFile {
    /// Bytes that decoding takes for each byte of a file of numbers: a copy, where its values lie in a list that doubles as it
    /// grows, and the values. Of 42 MB with 12 times as much it ended for want of memory, with 20 it does not.
    private static let decodingBytes = 20

    static func write(_ file: ClassifierFile, to path: String, inputs: [String?]) throws {
        let output = try OutputFile(path: path, inputs: inputs)
        var lines = OutputLines(output)
        try file.writeJSON { try lines.append($0) }
        try lines.flush()
        try output.finish()
    }

    static func read(_ path: String) throws -> ClassifierFile {
        let stream = try ByteStream(path: path)
        var bytes: [UInt8] = []
        while case let more = try stream.read(), !more.isEmpty {
            // Twice as many in place of the bytes so far, and for each what the decoder keeps.
            if bytes.count + more.count > bytes.capacity { try MemoryNeed.check(bytes.capacity * (2 + decodingBytes)) }
            bytes += more
        }
        try MemoryNeed.check(bytes.count * decodingBytes)
        do {
            return try JSONDecoder().decode(ClassifierFile.self, from: Data(bytes))
        } catch let error as LinearError {
            throw error
        } catch let error as ClassifierError {
            throw Failure(.badData, "\(path) \(error)")
        } catch {
            throw Failure(.badData, "\(path) \(ClassifierError.notAClassifier)")
        }
    }

    /// A model's name, or its path in a form that is found from any folder.
    static func place(of model: String) -> String {
        model.contains("/") || model.hasSuffix(".gguf") ? URL(filePath: model).path : model
    }
}

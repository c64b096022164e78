// Reads and writes the files of classifiers.
import Q3Analysis
import Q3Input
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

enum HeadFile {
    static func write(_ file: ClassifierFile, to path: String, inputs: [String?]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let output = try OutputFile(path: path, inputs: inputs)
        try output.write(Array(try encoder.encode(file)) + [UInt8(ascii: "\n")])
        try output.finish()
    }

    static func read(_ path: String) throws -> ClassifierFile {
        let stream = try ByteStream(path: path)
        var bytes: [UInt8] = []
        while case let more = try stream.read(), !more.isEmpty { bytes += more }
        do {
            return try JSONDecoder().decode(ClassifierFile.self, from: Data(bytes))
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

// JSON files of a folder: how much of them is read, and the errors of bad ones.
import Q3GGUF
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads the small files of a folder.
enum JSONFile {
    /// Three times the tokenizer of Qwen3; reading JSON takes many times its size.
    static let byteLimit = 1 << 25

    static func exists(_ name: String, in folder: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(folder)/\(name)")
    }

    /// The bytes of a file, nil if there is none.
    static func data(_ name: String, in folder: String) throws -> Data? {
        guard exists(name, in: folder) else { return nil }
        let file = try MappedFile(path: "\(folder)/\(name)", copying: false)
        guard file.byteCount <= byteLimit else {
            throw ConvertError.badFile(
                path: file.path, fault: "it has \(file.byteCount) bytes, expected at most \(byteLimit)")
        }
        var data = Data(count: file.byteCount)
        unsafe try data.withUnsafeMutableBytes { unsafe try file.read(at: 0, into: $0) }
        return data
    }

    /// The decoded file; nil if it does not exist.
    static func decode<T: Decodable>(_ name: String, in folder: String, as type: T.Type) throws -> T? {
        guard let data = try data(name, in: folder) else { return nil }
        do {
            return try JSONDecoder().decode(T.self, from: data)
        } catch {
            let format = ForeignFormat(prefix: Array(data.prefix(64)))
            let isOther = format == .gitLFSPointer || format == .html
            throw ConvertError.badFile(
                path: "\(folder)/\(name)", fault: isOther ? format.rawValue : jsonFault(error))
        }
    }

    /// The decoded content of a file that must exist.
    static func required<T: Decodable>(_ name: String, in folder: String, as type: T.Type) throws -> T {
        guard let value = try decode(name, in: folder, as: type) else {
            throw ConvertError.missingFile(folder: folder, name: name)
        }
        return value
    }
}

/// Any key of a JSON object.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// A decoder's complaint in a few words.
func jsonFault(_ error: any Error) -> String {
    func place(_ context: DecodingError.Context) -> String {
        context.codingPath.map(\.stringValue).joined(separator: ".").escapedForTerminal
    }
    return switch error {
    case DecodingError.keyNotFound(let key, let context):
        "\(context.codingPath.isEmpty ? "" : place(context) + ".")\(key.stringValue) is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
        "\(context.codingPath.isEmpty ? "it" : place(context)) has another type"
    case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
        "\(place(context)) has a value that cannot be"
    default: "it is not JSON, or has a number that does not fit"
    }
}

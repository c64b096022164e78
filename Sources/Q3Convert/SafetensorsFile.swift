// One safetensors file: a JSON header with names, types and places, then the values.
//
//     header length u64  {"name": {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [begin, end]}, ...}  values
import Q3GGUF
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The tensors of one file, all inside it.
final class SafetensorsFile: Sendable {
    /// A tensor of one of the three types that weights come in.
    struct Tensor: Sendable {
        let file: SafetensorsFile
        let name: String
        /// The slowest axis first, as the file has it.
        let shape: [Int]
        let type: TensorType
        /// First byte, counted from the start of the file.
        let offset: Int
        let byteCount: Int

        /// Copies bytes from the tensor's byte `position` on; there are that many.
        func read(_ position: Int, _ memory: UnsafeMutableRawBufferPointer) throws {
            unsafe try file.mapping.read(at: offset + position, into: memory)
        }
    }

    let path: String
    private let mapping: MappedFile
    private let entries: [ExactText: Entry]
    /// The header's `__metadata__`; empty where it is missing or has values that are not texts.
    let metadata: [String: String]
    private let dataStart: Int

    /// A hundred times the header of the largest Qwen3 model; reading JSON takes many times its size.
    static let headerLimit = 1 << 22

    init(path: String) throws {
        mapping = try MappedFile(path: path, copying: false)
        self.path = path
        func fault(_ what: String) -> ConvertError { .badSafetensors(path: path, fault: what) }
        guard mapping.byteCount >= 8 else {
            throw fault("it has \(mapping.byteCount) bytes, not even a header's length")
        }
        let format = ForeignFormat(prefix: unsafe Array(mapping.bytes.prefix(64)))
        if format == .gitLFSPointer || format == .html { throw fault(format.rawValue) }
        let length = unsafe mapping.bytes.loadUnaligned(as: UInt64.self)
        guard length <= mapping.byteCount - 8 else {
            throw fault("its header is said to have \(length) bytes of the file's \(mapping.byteCount)")
        }
        guard length <= Self.headerLimit else {
            throw fault("its header has \(length) bytes, expected at most \(Self.headerLimit)")
        }
        dataStart = 8 + Int(length)
        let header = unsafe Data(mapping.bytes(in: 8..<dataStart))
        do {
            let header = try JSONDecoder().decode(Header.self, from: header)
            (entries, metadata) = (header.entries, header.metadata)
        } catch {
            throw fault("its header is not a JSON object of tensors (\(jsonFault(error)))")
        }
        // As the format wants it, each tensor begins where the one before it ends: none lies outside, on another or
        // twice.
        var end = 0
        for (name, entry) in entries.sorted(by: { $0.value.dataOffsets.lexicographicallyPrecedes($1.value.dataOffsets) }
        ) {
            guard entry.dataOffsets.count == 2, entry.dataOffsets[0] == end, entry.dataOffsets[1] >= end else {
                throw fault(
                    "tensor \(name.text.escapedForTerminal) lies at \(entry.dataOffsets), expected from \(end) on")
            }
            end = entry.dataOffsets[1]
        }
        guard end == mapping.byteCount - dataStart else {
            throw fault(
                "its tensors have \(end) bytes, the file has \(mapping.byteCount - dataStart); download it again")
        }
    }

    var names: [String] { entries.keys.map(\.text).sorted() }

    /// The tensor of that name, of a type and shape that fit its bytes; nil if there is none.
    func tensor(named name: String) throws -> Tensor? {
        guard let entry = entries[ExactText(name)] else { return nil }
        func fault(_ what: String) -> ConvertError {
            .badSafetensors(path: path, fault: "tensor \(name.escapedForTerminal) \(what)")
        }
        let types: [String: TensorType] = ["F32": .f32, "F16": .f16, "BF16": .bf16]
        guard let type = types[entry.dtype] else {
            throw fault("is \(entry.dtype.escapedForTerminal), expected F32, F16 or BF16")
        }
        var byteCount = type.bytesPerBlock
        for extent in entry.shape {
            guard extent > 0, let product = byteCount.checkedMultiplied(by: extent) else {
                throw fault("has shape \(entry.shape)")
            }
            byteCount = product
        }
        let (begin, end) = (entry.dataOffsets[0], entry.dataOffsets[1])
        guard end - begin == byteCount else {
            throw fault("has \(end - begin) bytes, its shape \(entry.shape) needs \(byteCount)")
        }
        return Tensor(
            file: self, name: name, shape: entry.shape, type: type, offset: dataStart + begin, byteCount: byteCount)
    }

    func checkUnchanged() throws { try mapping.checkUnchanged() }

    private struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let dataOffsets: [Int]

        private enum CodingKeys: String, CodingKey {
            case dtype, shape
            case dataOffsets = "data_offsets"
        }
    }

    private struct Header: Decodable {
        var entries: [ExactText: Entry] = [:]
        var metadata: [String: String] = [:]

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: AnyKey.self)
            for key in values.allKeys {
                if key.stringValue == "__metadata__" {
                    metadata = (try? values.decode([String: String].self, forKey: key)) ?? [:]
                } else {
                    entries[ExactText(key.stringValue)] = try values.decode(Entry.self, forKey: key)
                }
            }
        }
    }
}

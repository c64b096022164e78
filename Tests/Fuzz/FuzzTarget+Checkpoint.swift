// The checkpoint target: a Hugging Face folder in one input, converted.

import Q3Convert
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import TestSupport

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension FuzzTarget {
    /// What the parts of an input are, with a NUL between them; a file is there if its part is not empty. Weights are a number, which is
    /// how many zeros the file has after its header, and the header; or "=" and the bytes of the file.
    private static let parts = [
        "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "1_Pooling/config.json",
        "modules.json", "config_sentence_transformers.json", "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors", "model.safetensors.index.json", "model.safetensors",
    ]

    /// Whatever is accepted opens as a model, and nothing is left of what is not.
    static func convert(_ bytes: [UInt8], _ scratch: ScratchFile) throws {
        let folder = scratch.folder
        for name in ["in/1_Pooling", "in/adapter", "out"] {
            try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
        }
        let contents = bytes.split(separator: 0, maxSplits: parts.count - 1, omittingEmptySubsequences: false)
        let hasIndex = contents.count > 10 && !contents[10].isEmpty
        for (index, name) in parts.enumerated() {
            // Without the one file the index is read; the part that it should name is this.
            let file = folder.file("in/\(index == 11 && hasIndex ? "part.safetensors" : name)")
            try? FileManager.default.removeItem(atPath: folder.file("in/\(name)"))
            try? FileManager.default.removeItem(atPath: file)
            guard index < contents.count, !contents[index].isEmpty else { continue }
            let content = Array(contents[index])
            try Data(name.hasSuffix(".safetensors") ? weights(content) : content).write(to: URL(filePath: file))
        }
        let adapter = contents.count > 8 && !contents[8].isEmpty ? folder.file("in/adapter") : nil
        var options = ConvertOptions()
        options.threads = 1
        let output = folder.file("out/model.gguf")
        do {
            _ = try Converter.convert(folder: folder.file("in"), adapter: adapter, to: output, options: options)
        } catch {
            precondition(isPrintable("\(error)"), "the message of an error holds control characters")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.file("out"))
            precondition(left.isEmpty, "something is left of a conversion that failed")
            return
        }
        let file = try GGUFFile(path: output)
        if try file.metadata.uint32("qwen3.pooling_type") == 3 {
            _ = try Embedder(file: file)
        } else {
            _ = try Reranker(file: file)
        }
        try FileManager.default.removeItem(atPath: output)
    }

    private static func weights(_ content: [UInt8]) -> [UInt8] {
        guard content.first != UInt8(ascii: "=") else { return Array(content.dropFirst()) }
        let digits = content.prefix { 0x30...0x39 ~= $0 }
        let header = content[digits.count...]
        let zeroCount = min(Int(String(decoding: digits, as: UTF8.self)) ?? 0, 1 << 20)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        return length + header + [UInt8](repeating: 0, count: zeroCount)
    }
}

// Model files of the right shapes and types with random weights, made in a second to measure speed without a download.
import ArgumentParser
import Q3GGUF
import Q3System

/// A size and a type, such as "0.6B:Q4_K_M".
struct SyntheticModel: ExpressibleByArgument, CustomStringConvertible {
    /// The numbers that differ between the sizes of Qwen3-Embedding.
    private struct Size {
        let name: String
        let layers, hidden, heads, feedForward: Int
    }

    private static let sizes = [
        Size(name: "0.6B", layers: 28, hidden: 1024, heads: 16, feedForward: 3072),
        Size(name: "4B", layers: 36, hidden: 2560, heads: 32, feedForward: 9728),
        Size(name: "8B", layers: 36, hidden: 4096, heads: 32, feedForward: 12_288),
    ]
    private static let (kvHeads, headDim, vocabularySize, contextLength) = (8, 128, 151_669, 32_768)

    /// What a type in a file name means for the layers, for the tensors that need more bits, and for the embedding
    /// table, as llama-quantize has it.
    private struct Mix {
        let name: String
        let base, better, table: TensorType
    }

    private static let mixes = [
        Mix(name: "F32", base: .f32, better: .f32, table: .f32),
        Mix(name: "F16", base: .f16, better: .f16, table: .f16),
        Mix(name: "BF16", base: .bf16, better: .bf16, table: .bf16),
        Mix(name: "Q8_0", base: .q8_0, better: .q8_0, table: .q8_0),
        Mix(name: "Q6_K", base: .q6_K, better: .q6_K, table: .q6_K),
        Mix(name: "Q5_0", base: .q5_0, better: .q5_0, table: .q6_K),
        Mix(name: "Q4_0", base: .q4_0, better: .q4_0, table: .q6_K),
        Mix(name: "Q4_K_M", base: .q4_K, better: .q6_K, table: .q6_K),
        Mix(name: "Q5_K_M", base: .q5_K, better: .q6_K, table: .q6_K),
    ]

    private let size: Size
    private let mix: Mix

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let size = Self.sizes.first(where: { $0.name == parts[0] }),
            let mix = Self.mixes.first(where: { $0.name == parts[1] })
        else { return nil }
        (self.size, self.mix) = (size, mix)
    }

    static var help: String {
        let types = mixes.map(\.name).joined(separator: ", ")
        return "SIZE:TYPE of \(sizes.map(\.name).joined(separator: ", ")) and \(types)"
    }

    var description: String { "\(size.name):\(mix.name)" }

    /// The tensor type of attn_v and ffn_down: better in the first and the last eighth of the layers and in every third
    /// one between.
    private func delicateType(layer: Int) -> TensorType {
        let eighth = size.layers / 8
        let isOuter = layer < eighth || layer >= 7 * size.layers / 8
        return isOuter || (layer - eighth) % 3 == 2 ? mix.better : mix.base
    }

    private func writer() -> GGUFWriter {
        var writer = GGUFWriter()
        writer.set("general.architecture", to: .string("qwen3"))
        writer.set("general.name", to: .string("synthetic \(self)"))
        let numbers = [
            ("block_count", size.layers), ("context_length", Self.contextLength), ("embedding_length", size.hidden),
            ("feed_forward_length", size.feedForward), ("attention.head_count", size.heads),
            ("attention.head_count_kv", Self.kvHeads), ("attention.key_length", Self.headDim),
            ("attention.value_length", Self.headDim), ("pooling_type", 3),
        ]
        for (key, value) in numbers { writer.set("qwen3.\(key)", to: .uint32(UInt32(value))) }
        writer.set("qwen3.rope.freq_base", to: .float32(1_000_000))
        writer.set("qwen3.attention.layer_norm_rms_epsilon", to: .float32(1e-6))

        var pools: [TensorType: BlockPool] = [:]
        var start = 0
        func matrix(_ name: String, _ type: TensorType, rows: Int, cols: Int) {
            guard let pool = pools[type] ?? BlockPool(type) else { fatalError("no recipe for \(type.name)") }
            pools[type] = pool
            start += 1009 * type.bytesPerBlock  // no two tensors alike
            writer.addTensor("\(name).weight", shape: [cols, rows], type: type) { [start] chunk, offset in
                pool.fill(&chunk, from: start + offset)
            }
        }
        func gain(_ name: String, _ count: Int) {
            let ones = (0..<count).flatMap { _ in [0, 0, 0x80, 0x3F] as [UInt8] }
            writer.addTensor("\(name).weight", shape: [count], type: .f32, bytes: ones)
        }
        let (queryWidth, keyWidth) = (size.heads * Self.headDim, Self.kvHeads * Self.headDim)
        matrix("token_embd", mix.table, rows: Self.vocabularySize, cols: size.hidden)
        gain("output_norm", size.hidden)
        for layer in 0..<size.layers {
            let block = "blk.\(layer)"
            let delicate = delicateType(layer: layer)
            gain("\(block).attn_norm", size.hidden)
            matrix("\(block).attn_q", mix.base, rows: queryWidth, cols: size.hidden)
            matrix("\(block).attn_k", mix.base, rows: keyWidth, cols: size.hidden)
            matrix("\(block).attn_v", delicate, rows: keyWidth, cols: size.hidden)
            gain("\(block).attn_q_norm", Self.headDim)
            gain("\(block).attn_k_norm", Self.headDim)
            matrix("\(block).attn_output", mix.base, rows: size.hidden, cols: queryWidth)
            gain("\(block).ffn_norm", size.hidden)
            matrix("\(block).ffn_gate", mix.base, rows: size.feedForward, cols: size.hidden)
            matrix("\(block).ffn_up", mix.base, rows: size.feedForward, cols: size.hidden)
            matrix("\(block).ffn_down", delicate, rows: size.hidden, cols: size.feedForward)
        }
        return writer
    }

    /// Writes the file into $TMPDIR and opens it. It has no name any more when this returns: the system frees it when
    /// the process ends, however that happens.
    func make() throws -> AnonymousModel {
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        let path = "\(folder)/q3-bench-\(getpid()).gguf"
        // A signal waits for the end of the writing, which leaves nothing behind.
        try Interruption.deferred { unfinished in
            unfinished = path
            try writer().write(to: path)
        }
        defer {
            Interruption.deferred { unfinished in
                unsafe unlink(path)
                unfinished = nil
            }
        }
        let descriptor = unsafe open(path, O_RDONLY)
        guard descriptor >= 0 else { throw Failure(.inputOutput, "cannot open \(path)", errno: errno) }
        return AnonymousModel(file: try GGUFFile(path: path), descriptor: descriptor)
    }
}

/// A model file without a name.
struct AnonymousModel {
    let file: GGUFFile
    private let descriptor: CInt

    fileprivate init(file: GGUFFile, descriptor: CInt) {
        (self.file, self.descriptor) = (file, descriptor)
    }

    /// Opens the same file here and in child processes, which inherit the descriptor.
    var path: String { "/dev/fd/\(descriptor)" }
}

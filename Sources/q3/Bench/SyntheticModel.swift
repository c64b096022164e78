// Model files of the right shapes and types with random weights, made in a second to measure speed without a download.
import ArgumentParser
import Q3Convert
import Q3GGUF
import Q3Model
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

    /// Types that blocks can be made up for.
    private static let types = FileType.allCases.filter { BlockPool.hasRecipe(for: $0.tensorType) }

    private let size: Size
    private let type: FileType

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let size = Self.sizes.first(where: { $0.name == parts[0] }),
            let type = Self.types.first(where: { $0.rawValue == parts[1] })
        else { return nil }
        (self.size, self.type) = (size, type)
    }

    static var help: String {
        let types = types.map(\.rawValue).joined(separator: ", ")
        return "SIZE:TYPE of \(sizes.map(\.name).joined(separator: ", ")) and \(types)"
    }

    var description: String { "\(size.name):\(type.rawValue)" }

    private func writer() -> GGUFWriter {
        let config = Qwen3Config(
            layerCount: size.layers, hiddenSize: size.hidden, heads: size.heads, kvHeads: 8, headDim: 128,
            ffnSize: size.feedForward, vocabularySize: 151_669, contextLength: 32_768, ropeTheta: 1_000_000,
            rmsNormEpsilon: 1e-6)
        var writer = GGUFWriter()
        for (key, value) in config.metadata { writer.set(key, to: value) }
        writer.set(Qwen3Schema.Key.name, to: .string("synthetic \(self)"))
        writer.set(Qwen3Schema.Key.poolingType, to: .uint32(Pooling.last.rawValue))

        let tensors = Qwen3Schema.tensors(layerCount: size.layers)
        let mix = Mix(type, tensorNames: tensors.map(\.name))
        var pools: [TensorType: BlockPool] = [:]
        var start = 0
        for tensor in tensors {
            let shape = tensor.shape(in: config)
            guard !tensor.part.isNorm else {
                let ones = (0..<shape[0]).flatMap { _ in [0, 0, 0x80, 0x3F] as [UInt8] }
                writer.addTensor(tensor.name, shape: shape, type: .f32, bytes: ones)
                continue
            }
            let type = mix.type(of: tensor.name, shape: shape, now: .f32)
            guard let pool = pools[type] ?? BlockPool(type) else { fatalError("no recipe for \(type.name)") }
            pools[type] = pool
            start += 1009 * type.bytesPerBlock  // no two tensors alike
            writer.addTensor(tensor.name, shape: shape, type: type) { [start] chunk, offset in
                pool.fill(&chunk, from: start + offset)
            }
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
            unfinished.insert(path)
            try writer().write(to: path)
        }
        defer {
            Interruption.deferred { unfinished in
                unsafe unlink(path)
                unfinished.remove(path)
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

// Several fine-tunes of one base in, one model out: the last stage of how Qwen3-Embedding was trained.
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System

/// Merges models.
package enum Merger {
    /// How models are merged.
    package struct Options: Sendable {
        /// How tensors are combined.
        package var method = MergeMethod.slerp
        /// How much each model counts, above 0; nil for equal weights.
        package var weights: [Double]?
        /// The least cosine that tensors of two fine-tunes of one base have; 0 merges all tensors of the same shapes.
        package var leastCosine = 0.5
        /// What matrices are stored as; nil for the type of the first model.
        package var type: FileType?
        /// Threads, progress and where the unfinished file is.
        package var conversion = ConvertOptions()

        package init() {}
    }

    /// Writes the merged model. Every model is a GGUF file or a Hugging Face folder; metadata and tokenizer are the first one's.
    ///
    /// Throws `ConvertError.notMergeable` for models of different shapes, vocabularies or roles, and for those whose weights are
    /// so far apart that they cannot come from one base; and what converting throws.
    package static func merge(_ paths: [String], to output: String, options: Options = Options()) throws -> FileReport {
        guard paths.count > 1 else {
            throw ConvertError.notMergeable("one model is nothing to merge; give two at least")
        }
        let models = try paths.map { try MergeInput(path: $0) }
        let weights = options.weights ?? paths.map { _ in 1 }
        guard weights.count == paths.count, weights.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw ConvertError.notMergeable(
                "\(weights.count) weights for \(paths.count) models; give one above 0 for each")
        }
        let first = models[0]
        for other in models.dropFirst() { try first.check(other) }
        let target = try outputPath(output, inputs: models.flatMap(\.inputPaths))
        let threads = try options.conversion.checkedThreads()
        let factors = try Self.factors(models, weights, options, threads: threads)
        let tensors = first.tensors.indices.map { Self.sum($0, of: models, factors: factors[$0]) }
        let fileType = options.type ?? first.fileType
        let mix = Mix(fileType, tensorNames: tensors.map(\.name))
        let types = zip(tensors, first.tensors).map { sum, own in
            options.type == nil && !own.isNorm ? own.type : mix.type(of: sum.name, shape: sum.shape, now: sum.type)
        }
        var header = first.header
        header.setFileType(fileType)
        let reports = try ModelWriter(tensors, types: types).write(header, to: target, options: options.conversion) {
            for model in models { try model.checkUnchanged() }
        }
        return FileReport(fileType: fileType, tensors: reports)
    }

    /// The factors of each tensor, after a look at how near the models are to each other.
    private static func factors(
        _ models: [MergeInput], _ weights: [Double], _ options: Options, threads: Int
    ) throws -> [[Double]] {
        let pieces = TensorPieces(elementCounts: models[0].tensors.map(\.elementCount))
        let products = try pieces.map(threads: threads) { piece, _ in
            let values = try models.map { try $0.tensors[piece.tensor].values(piece.values) }
            return values.map { left in
                values.map { right in zip(left, right).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
            }
        }
        let none = [[Double]](repeating: [Double](repeating: 0, count: models.count), count: models.count)
        var sums = [[[Double]]](repeating: none, count: models[0].tensors.count)
        for (piece, part) in zip(pieces.pieces, products) {
            for row in part.indices {
                for column in part.indices { sums[piece.tensor][row][column] += part[row][column] }
            }
        }
        return try zip(models[0].tensors, sums).map { tensor, sums in
            guard sums.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
                throw ConvertError.outOfReach(tensor: tensor.name, type: tensor.type)
            }
            let merged = MergeWeights(products: sums, weights: weights, method: options.method)
            guard merged.leastCosine >= options.leastCosine else {
                throw ConvertError.notMergeable(
                    "the models' tensors \(tensor.name) have a cosine of \(DecimalText.fixed(merged.leastCosine, 3)), where "
                        + "fine-tunes of one base have one near 1: these do not come from one base")
            }
            return merged.factors
        }
    }

    /// A tensor of the merged model: the sum of those of all models times their factors.
    private static func sum(_ index: Int, of models: [MergeInput], factors: [Double]) -> TensorSource {
        let own = models[0].tensors[index]
        let sources = models.map { $0.tensors[index] }
        return unsafe TensorSource(name: own.name, shape: own.shape, type: .f32) { offset, memory in
            let first = offset / MemoryLayout<Float>.size
            let count = memory.count / MemoryLayout<Float>.size
            var sums = [Double](repeating: 0, count: count)
            for (source, factor) in zip(sources, factors) {
                let values = try source.values(first..<first + count)
                for (index, value) in values.enumerated() { sums[index] += factor * Double(value) }
            }
            let target = unsafe memory.bindMemory(to: Float.self)
            for (index, sum) in sums.enumerated() { unsafe target[index] = Float(sum) }
        }
    }
}

extension TensorSource {
    var isNorm: Bool { shape.count == 1 }

    /// Values as f32; the range begins and ends with blocks.
    func values(_ range: Range<Int>) throws -> [Float] {
        var bytes = [UInt8](repeating: 0, count: type.byteCount(range.count))
        unsafe try bytes.withUnsafeMutableBytes { unsafe try read(type.byteCount(range.lowerBound), $0) }
        return unsafe [Float](unsafeUninitializedCapacity: range.count) { values, count in
            unsafe bytes.withUnsafeBytes { bytes in
                let whole = unsafe UnsafeMutableBufferPointer(rebasing: values[..<range.count])
                unsafe WeightCodec().decode(bytes, typeID: type.rawValue, into: whole)
            }
            count = range.count
        }
    }
}

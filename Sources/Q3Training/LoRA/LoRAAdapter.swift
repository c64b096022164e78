// A LoRA adapter as PEFT keeps it: a folder with adapter_config.json and adapter_model.safetensors.
import Q3Convert
import Q3Model
import Q3System

/// The factors of every matrix that is changed.
public struct LoRAAdapter: Sendable, Equatable {
    /// A [rank, inputs] and B [outputs, rank] of one matrix.
    struct Factors: Sendable, Equatable {
        let down: [Float]
        let up: [Float]
        let outputs: Int
        let inputs: Int
    }

    struct Key: Hashable, Sendable {
        let layer: Int
        let projection: Projection
    }

    /// Rows of A.
    public let rank: Int
    /// B · A is multiplied with alpha / rank.
    public let alpha: Double
    let factors: [Key: Factors]
    private let isReranker: Bool
    private let isAllLayers: Bool
    private let baseName: String
    /// The fingerprint of the model that it was trained on; nil for an adapter that does not say it.
    public let fingerprint: String?

    init(_ values: [Float], shape: AdapterShape, isReranker: Bool, baseName: String, fingerprint: String) {
        rank = shape.rank
        alpha = shape.alpha
        self.isReranker = isReranker
        self.baseName = baseName
        self.fingerprint = fingerprint
        isAllLayers = shape.layers.lowerBound == 0
        var factors: [Key: Factors] = [:]
        for (layer, projection) in shape.matrices {
            guard let place = shape.place(of: projection, layer: layer) else { continue }
            let down = Array(values[place.down..<place.down + shape.rank * place.inputs])
            var up = [Float](repeating: 0, count: place.outputs * shape.rank)
            for row in 0..<shape.rank {
                for output in 0..<place.outputs {
                    up[output * shape.rank + row] = values[place.up + row * place.outputs + output]
                }
            }
            factors[Key(layer: layer, projection: projection)] = Factors(
                down: down, up: up, outputs: place.outputs, inputs: place.inputs)
        }
        self.factors = factors
    }

    /// A of small random values, as PyTorch begins a linear layer and PEFT a LoRA, and B of zeros.
    static func start(_ shape: AdapterShape, seed: UInt64) -> [Float] {
        var values = [Float](repeating: 0, count: shape.count)
        var random = SeededGenerator(seed: seed ^ 0x10FA)
        for (layer, projection) in shape.matrices {
            guard let place = shape.place(of: projection, layer: layer) else { continue }
            let bound = 1 / Double(place.inputs).squareRoot()
            for index in 0..<shape.rank * place.inputs {
                values[place.down + index] = Float((Double(random.next() >> 11) * 0x1p-53 * 2 - 1) * bound)
            }
        }
        return values
    }

    /// The list of parameters of a training that goes on from this adapter. Throws `mismatch` where it changes other
    /// matrices, or has another rank or scale.
    func parameters(in shape: AdapterShape) throws(TrainingError) -> [Float] {
        guard rank == shape.rank, abs(alpha - shape.alpha) <= 1e-9 * shape.alpha else {
            throw .mismatch(
                "the adapter to start from has rank \(rank) and alpha \(alpha), not \(shape.rank) and \(shape.alpha)")
        }
        let wanted = Set(shape.matrices.map { Key(layer: $0.layer, projection: $0.projection) })
        if let other = factors.keys.first(where: { !wanted.contains($0) }) {
            throw .mismatch(
                "the adapter to start from changes \(other.projection.module) of layer \(other.layer), which is not trained"
            )
        }
        var values = LoRAAdapter.start(shape, seed: 0)
        for (key, factors) in factors {
            guard let place = shape.place(of: key.projection, layer: key.layer), place.inputs == factors.inputs,
                place.outputs == factors.outputs
            else { throw .mismatch("the adapter to start from is one of a model of another size") }
            for (index, value) in factors.down.enumerated() { values[place.down + index] = value }
            for row in 0..<rank {
                for output in 0..<place.outputs {
                    values[place.up + row * place.outputs + output] = factors.up[output * rank + row]
                }
            }
        }
        return values
    }

    // MARK: - PEFT's folder

    private var keys: [Key] {
        factors.keys.sorted {
            ($0.layer, $0.projection.module) < ($1.layer, $1.projection.module)
        }
    }

    /// What PEFT's folder says. Where not all layers are changed the modules are named one by one: PEFT's own option for
    /// that, layers_to_transform, finds no layer in a model without a head.
    var folder: LowRankAdapterFolder {
        var folder = LowRankAdapterFolder(
            rank: rank, alpha: alpha,
            modules: keys.compactMap { key in
                factors[key].map {
                    .init(
                        name: "layers.\(key.layer).\(key.projection.module)", outputs: $0.outputs, inputs: $0.inputs)
                }
            })
        if isAllLayers {
            folder.targets = Projection.allCases.filter { p in factors.keys.contains { $0.projection == p } }
                .map { String($0.module.split(separator: ".")[1]) }
        }
        if isReranker { (folder.modulePrefix, folder.task) = ("model.", "CAUSAL_LM") }
        (folder.baseName, folder.fingerprint) = (baseName, fingerprint)
        return folder
    }

    /// Writes the two files into a folder that is there; each appears when it is whole. Throws
    /// `TrainingError.cannotWrite`.
    public func write(to folder: String) throws(TrainingError) {
        let values = keys.compactMap { factors[$0] }
        do {
            try self.folder.write(to: folder) { (values[$0].down, values[$0].up) }
        } catch ConvertError.cannotWrite(let path, let code) {
            throw .cannotWrite(path: path, fault: "\(SystemError(code: code))")
        } catch {
            throw .cannotWrite(path: folder, fault: "\(error)")
        }
    }

    /// Reads an adapter of PEFT for a model. Throws `ConvertError` for a folder without an adapter, or whose adapter is of a
    /// kind that is not supported, and `TrainingError.mismatch` for one with other matrices than a Qwen3 layer's.
    public init(folder path: String) throws {
        let adapter = try LowRankAdapter(folder: path)
        rank = adapter.rank
        alpha = adapter.scale * Double(adapter.rank)
        isReranker = false
        isAllLayers = false
        baseName = adapter.baseName ?? ""
        fingerprint = adapter.fingerprint
        var factors: [Key: Factors] = [:]
        for name in adapter.moduleNames {
            let parts = name.split(separator: ".", maxSplits: 2)
            guard parts.count == 3, parts[0] == "layers", let layer = Int(parts[1]),
                let projection = Projection.allCases.first(where: { $0.module == parts[2] })
            else {
                throw TrainingError.mismatch("\(path): \(name.escapedForTerminal) is not a matrix of a Qwen3 layer")
            }
            let (down, up) = try adapter.factors(of: name)
            factors[Key(layer: layer, projection: projection)] = Factors(
                down: down, up: up, outputs: up.count / rank, inputs: down.count / rank)
        }
        self.factors = factors
    }
}

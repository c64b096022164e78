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

    init(_ values: [Float], shape: AdapterShape, isReranker: Bool, baseName: String) {
        rank = shape.rank
        alpha = shape.alpha
        self.isReranker = isReranker
        self.baseName = baseName
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

    /// PEFT's names of the two factors, which begin with the model that it wraps.
    private func names(_ key: Key) -> (down: String, up: String) {
        let stem = "base_model.model.\(isReranker ? "model." : "")layers.\(key.layer).\(key.projection.module)"
        return ("\(stem).lora_A.weight", "\(stem).lora_B.weight")
    }

    private var keys: [Key] {
        factors.keys.sorted {
            ($0.layer, $0.projection.module) < ($1.layer, $1.projection.module)
        }
    }

    /// `adapter_config.json`. Where not all layers are changed the modules are named one by one: PEFT's own option for
    /// that, layers_to_transform, finds no layer in a model without a head.
    var config: String {
        let modules =
            isAllLayers
            ? Projection.allCases.filter { p in factors.keys.contains { $0.projection == p } }
                .map { String($0.module.split(separator: ".")[1]) }
            : keys.map { "layers.\($0.layer).\($0.projection.module)" }
        let list = modules.map { "    \(JSONText.quoted($0))" }.joined(separator: ",\n")
        return """
            {
              "alpha_pattern": {},
              "auto_mapping": null,
              "base_model_name_or_path": \(JSONText.quoted(baseName)),
              "bias": "none",
              "fan_in_fan_out": false,
              "inference_mode": true,
              "init_lora_weights": true,
              "lora_alpha": \(alpha == alpha.rounded() ? "\(Int(alpha))" : "\(alpha)"),
              "lora_dropout": 0.0,
              "modules_to_save": null,
              "peft_type": "LORA",
              "r": \(rank),
              "rank_pattern": {},
              "target_modules": [
            \(list)
              ],
              "task_type": "\(isReranker ? "CAUSAL_LM" : "FEATURE_EXTRACTION")",
              "use_dora": false,
              "use_rslora": false
            }

            """
    }

    /// `adapter_model.safetensors`.
    var safetensors: [UInt8] {
        var header: [String] = [#""__metadata__":{"format":"pt"}"#]
        var data: [UInt8] = []
        func add(_ name: String, _ shape: [Int], _ values: [Float]) {
            let start = data.count
            unsafe values.withUnsafeBytes { data += unsafe [UInt8]($0) }
            header.append(
                "\(JSONText.quoted(name)):{\"dtype\":\"F32\",\"shape\":[\(shape[0]),\(shape[1])],"
                    + "\"data_offsets\":[\(start),\(data.count)]}")
        }
        for key in keys {
            guard let factors = factors[key] else { continue }
            let (down, up) = names(key)
            add(down, [rank, factors.inputs], factors.down)
            add(up, [factors.outputs, rank], factors.up)
        }
        var text = Array("{\(header.joined(separator: ","))}".utf8)
        while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
        let length = UInt64(text.count).littleEndian
        return unsafe withUnsafeBytes(of: length) { unsafe [UInt8]($0) } + text + data
    }

    /// Writes the two files into a folder that is there; each appears when it is whole. Throws
    /// `TrainingError.cannotWrite`.
    public func write(to folder: String) throws(TrainingError) {
        for (name, bytes) in [("adapter_model.safetensors", safetensors), ("adapter_config.json", Array(config.utf8))] {
            let path = "\(folder)/\(name)"
            do throws(SystemError) {
                let file = try AtomicFile(path: path)
                unsafe try file.write(bytes.span.bytes)
                try file.commit()
            } catch {
                throw .cannotWrite(path: path, fault: "\(error)")
            }
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
        baseName = ""
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

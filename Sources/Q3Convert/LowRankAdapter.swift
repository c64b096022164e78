// A PEFT LoRA adapter, merged into the weights that it changes: W + scale · B · A.
import Q3GGUF
import Q3Kernels

/// The matrices of an adapter folder. They are held as f32; they are small beside the model.
struct LowRankAdapter {
    /// What is added to one matrix [outputs, inputs].
    private struct Update: Sendable {
        let down: [Float]  // A [rank, inputs]
        let up: [Float]  // scale · B [outputs, rank]
        let rank: Int
        let inputs: Int
        let outputs: Int
    }

    private struct Config: Decodable {
        let type: String
        let rank: Int
        let alpha: Double
        let isRankStabilized: Bool?
        let isTransposed: Bool?
        let usesDirections: Bool?
        let bias: String?
        let alphas: [String: Double]?
        let ranks: [String: Int]?

        private enum CodingKeys: String, CodingKey {
            case bias
            case type = "peft_type"
            case rank = "r"
            case alpha = "lora_alpha"
            case isRankStabilized = "use_rslora"
            case isTransposed = "fan_in_fan_out"
            case usesDirections = "use_dora"
            case alphas = "alpha_pattern"
            case ranks = "rank_pattern"
        }

        /// What of the adapter is not implemented, nil if nothing.
        var fault: String? {
            if type != "LORA" { return "peft_type is \(type.escapedForTerminal), wanted LORA" }
            if usesDirections == true { return "use_dora is true, which is not supported" }
            if isTransposed == true { return "fan_in_fan_out is true, which no Qwen3 model needs" }
            if let bias, bias != "none" { return "bias is \(bias.escapedForTerminal), wanted none" }
            if alphas?.isEmpty == false || ranks?.isEmpty == false {
                return "ranks or alphas differ from layer to layer, which is not supported"
            }
            if rank < 1 || !alpha.isFinite { return "r is \(rank), wanted at least 1" }
            return nil
        }
    }

    private let path: String
    private let file: SafetensorsFile
    private let rank: Int
    private let scale: Float
    /// Module names as bare models have them, such as "layers.0.self_attn.q_proj", and what stands before them here.
    private let modules: [String: String]

    init(folder path: String) throws {
        self.path = path
        let config = try CheckpointFolder.json("adapter_config.json", in: path, as: Config.self)
        if let fault = config.fault { throw ConvertError.badFile(path: "\(path)/adapter_config.json", fault: fault) }
        file = try SafetensorsFile(path: "\(path)/adapter_model.safetensors")
        rank = config.rank
        let divisor = config.isRankStabilized == true ? Double(rank).squareRoot() : Double(rank)
        scale = Float(config.alpha / divisor)
        var modules: [String: String] = [:]
        for name in file.names {
            guard let module = ["A", "B"].compactMap({ name.cut(suffix: ".lora_\($0).weight") }).first else {
                throw ConvertError.badFile(
                    path: file.path,
                    fault: "\(name.escapedForTerminal) is none of the matrices A and B of a LoRA adapter")
            }
            let bare = module.cut(prefix: "base_model.model.") ?? module
            modules[bare.cut(prefix: "model.") ?? bare] = module
        }
        self.modules = modules
    }

    /// Path of its weights.
    var weightsPath: String { file.path }

    func checkUnchanged() throws { try file.checkUnchanged() }

    /// Names of the modules that it changes.
    var moduleNames: Set<String> { Set(modules.keys) }

    /// The matrix of a module with what is added to it; the matrix itself if that is nothing.
    func merged(_ matrix: SafetensorsFile.Tensor, of module: String, as name: String) throws -> TensorSource {
        let base = TensorSource(matrix, as: name)
        guard let own = modules[module] else { return base }
        let (outputs, inputs) = (matrix.shape[0], matrix.shape[1])
        let down = try values("\(own).lora_A.weight", [rank, inputs])
        let up = try values("\(own).lora_B.weight", [outputs, rank]).map { $0 * scale }
        let update = Update(down: down, up: up, rank: rank, inputs: inputs, outputs: outputs)
        let codec = WeightCodec()
        return unsafe TensorSource(name: name, shape: base.shape, type: .f32) { offset, memory in
            let sums = unsafe memory.bindMemory(to: Float.self)
            let first = offset / MemoryLayout<Float>.size
            let valueByteCount = base.type.bytesPerBlock
            var bytes = [UInt8](repeating: 0, count: sums.count * valueByteCount)
            unsafe try bytes.withUnsafeMutableBytes { bytes in
                unsafe try base.read(first * valueByteCount, bytes)
                unsafe codec.decode(bytes.readOnly, typeID: base.type.rawValue, into: sums)
            }
            unsafe Self.add(update, from: first, to: sums)
        }
    }

    /// Adds scale · B · A to values of the matrix, of which the first has number `first`.
    private static func add(_ update: Update, from first: Int, to sums: UnsafeMutableBufferPointer<Float>) {
        var done = 0
        while done < sums.count {
            let (row, column) = ((first + done) / update.inputs, (first + done) % update.inputs)
            let count = min(update.inputs - column, sums.count - done)
            var delta = [Float](repeating: 0, count: count)
            for r in 0..<update.rank {
                let factor = update.up[row * update.rank + r]
                let start = r * update.inputs + column
                for i in 0..<count { delta[i] += factor * update.down[start + i] }
            }
            for i in 0..<count { unsafe sums[done + i] += delta[i] }
            done += count
        }
    }

    private func values(_ name: String, _ shape: [Int]) throws -> [Float] {
        guard let tensor = try file.tensor(named: name) else {
            throw ConvertError.missingTensor(folder: path, name: name)
        }
        guard tensor.shape == shape else { throw ConvertError.badShape(tensor: name, got: tensor.shape, wanted: shape) }
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        unsafe try bytes.withUnsafeMutableBytes { unsafe try tensor.read(0, $0) }
        return unsafe [Float](unsafeUninitializedCapacity: shape[0] * shape[1]) { values, count in
            unsafe bytes.withUnsafeBytes { bytes in
                let whole = unsafe UnsafeMutableBufferPointer(rebasing: values[..<(shape[0] * shape[1])])
                unsafe WeightCodec().decode(bytes, typeID: tensor.type.rawValue, into: whole)
            }
            count = shape[0] * shape[1]
        }
    }
}

extension String {
    /// What follows a prefix, nil without it.
    fileprivate func cut(prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }

    /// What precedes a suffix, nil without it.
    fileprivate func cut(suffix: String) -> String? { hasSuffix(suffix) ? String(dropLast(suffix.count)) : nil }
}

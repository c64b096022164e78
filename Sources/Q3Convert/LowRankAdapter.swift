// A PEFT LoRA adapter, merged into the weights that it changes: W + scale · B · A.
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System

/// The matrices of an adapter folder. They are held as f32; they are small beside the model.
package struct LowRankAdapter {
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
        let bias: String?
        let baseName: String?
        let task: String?
        /// How training began; some ways change the model's own weights.
        let start: Setting?
        /// The variants that are on, by name.
        let variants: [String]

        private enum CodingKeys: String, CodingKey {
            case bias
            case type = "peft_type"
            case rank = "r"
            case alpha = "lora_alpha"
            case isRankStabilized = "use_rslora"
            case baseName = "base_model_name_or_path"
            case task = "task_type"
            case start = "init_lora_weights"
        }

        private static let unsupported = [
            "alora_invocation_tokens", "alpha_pattern", "arrow_config", "fan_in_fan_out", "kasa_config",
            "layer_replication", "lora_bias", "modules_to_save", "rank_pattern", "target_parameters",
            "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora",
        ]

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            type = try values.decode(String.self, forKey: .type)
            rank = try values.decode(Int.self, forKey: .rank)
            alpha = try values.decode(Double.self, forKey: .alpha)
            isRankStabilized = try values.decodeIfPresent(Bool.self, forKey: .isRankStabilized)
            bias = try values.decodeIfPresent(String.self, forKey: .bias)
            // Nothing that is computed depends on these two, so that they may be anything.
            baseName = try? values.decodeIfPresent(String.self, forKey: .baseName)
            task = try? values.decodeIfPresent(String.self, forKey: .task)
            start = try values.decodeIfPresent(Setting.self, forKey: .start)
            let settings = try decoder.container(keyedBy: AnyKey.self)
            variants = try Self.unsupported.filter {
                try settings.decodeIfPresent(Setting.self, forKey: AnyKey(stringValue: $0))?.isOn == true
            }
        }

        var scale: Double { alpha / (isRankStabilized == true ? Double(rank).squareRoot() : Double(rank)) }

        /// The part of the adapter that is not implemented, nil if there is none.
        var fault: String? {
            if type != "LORA" { return "peft_type is \(type.escapedForTerminal), expected LORA" }
            if let bias, bias != "none" { return "bias is \(bias.escapedForTerminal), expected none" }
            if let variant = variants.first {
                return "\(variant) is set, which is not supported; merge the adapter with PEFT and convert the result"
            }
            if case .text(let start) = start, !["gaussian", "eva", "orthogonal"].contains(start) {
                return "init_lora_weights is \(start.escapedForTerminal), which changes the model's own weights; "
                    + "merge the adapter with PEFT and convert the result"
            }
            if rank < 1 { return "r is \(rank), expected at least 1" }
            if !Float(scale).isFinite { return "lora_alpha is \(alpha), which is too large" }
            return nil
        }
    }

    /// A value of any kind, as far as it turns something on.
    private enum Setting: Decodable {
        case off, on
        case text(String)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self = .text(text)
            } else if let flag = try? value.decode(Bool.self) {
                self = flag ? .on : .off
            } else if let list = try? decoder.unkeyedContainer() {
                self = list.isAtEnd ? .off : .on
            } else if let object = try? decoder.container(keyedBy: AnyKey.self) {
                self = object.allKeys.isEmpty ? .off : .on
            } else {
                self = .on
            }
        }

        var isOn: Bool {
            switch self {
            case .off: false
            case .on: true
            case .text(let text): !text.isEmpty
            }
        }
    }

    let path: String
    private let file: SafetensorsFile
    /// The name or path of the model that it changes, as its training wrote it.
    package let baseName: String?
    /// PEFT's name of what the model is for, such as FEATURE_EXTRACTION.
    let task: String?
    /// Rows of every A.
    package let rank: Int
    /// What B · A is multiplied with.
    package let scale: Double
    /// Module names as bare models have them, such as "layers.0.self_attn.q_proj", and the prefix here.
    private let modules: [String: String]

    package init(folder path: String) throws {
        self.path = path
        let config = try JSONFile.required("adapter_config.json", in: path, as: Config.self)
        if let fault = config.fault { throw ConvertError.badFile(path: "\(path)/adapter_config.json", fault: fault) }
        let weights = "adapter_model.safetensors"
        guard JSONFile.exists(weights, in: path) else { throw ConvertError.missingFile(folder: path, name: weights) }
        file = try SafetensorsFile(path: "\(path)/\(weights)")
        (rank, scale) = (config.rank, config.scale)
        (baseName, task) = (config.baseName, config.task)
        var modules: [String: String] = [:]
        for name in file.names {
            guard let module = ["A", "B"].compactMap({ name.cut(suffix: ".lora_\($0).weight") }).first else {
                throw ConvertError.badFile(
                    path: file.path,
                    fault: "\(name.escapedForTerminal) is not a matrix A or B of a LoRA adapter")
            }
            let bare = module.cut(prefix: "base_model.model.") ?? module
            let name = bare.cut(prefix: "model.") ?? bare
            guard modules[name] ?? module == module else {
                throw ConvertError.badFile(path: file.path, fault: "it has \(name.escapedForTerminal) under two names")
            }
            modules[name] = module
        }
        self.modules = modules
    }

    /// Paths of the files that are read; the output may not replace any of them.
    var inputPaths: [String] { [file.path, "\(path)/adapter_config.json"] }

    func checkUnchanged() throws { try file.checkUnchanged() }

    /// Names of the modules that it changes.
    package var moduleNames: Set<String> { Set(modules.keys) }

    /// A matrix of a model with the adapter's change, if there is one; its module is then removed from those that are left.
    func merged(
        _ base: TensorSource, as tensor: Qwen3Schema.Tensor, removing left: inout Set<String>
    ) throws -> TensorSource {
        let module = String(tensor.checkpointName.dropLast(".weight".count))
        // Only matrices of layers: the token embeddings serve as the output too, and norms have no rank.
        guard tensor.layer != nil, !tensor.part.isNorm, base.shape.count == 2, let own = modules[module],
            left.remove(module) != nil
        else { return base }
        let (outputs, inputs) = (base.shape[1], base.shape[0])
        let down = try values("\(own).lora_A.weight", [rank, inputs])
        let up = try values("\(own).lora_B.weight", [outputs, rank]).map { $0 * Float(scale) }
        let update = Update(down: down, up: up, rank: rank, inputs: inputs, outputs: outputs)
        return unsafe TensorSource(name: base.name, shape: base.shape, type: .f32) { offset, memory in
            let sums = unsafe memory.bindMemory(to: Float.self)
            let first = offset / MemoryLayout<Float>.size
            for (index, value) in try base.values(first..<first + sums.count).enumerated() {
                unsafe sums[index] = value
            }
            unsafe Self.add(update, from: first, to: sums)
        }
    }

    /// The fingerprint of the model that it was trained on, where q3 wrote it.
    package var fingerprint: String? { file.metadata[LowRankAdapterFolder.fingerprintKey] }

    /// What PEFT has before the names of bare models: nothing, or "model." in a model with a head.
    var modulePrefix: String { modules.values.contains { $0.hasPrefix("base_model.model.model.") } ? "model." : "" }

    /// Outputs and inputs of a module that is changed.
    package func size(of module: String) throws -> (outputs: Int, inputs: Int) {
        guard let own = modules[module] else { throw ConvertError.missingTensor(folder: path, name: module) }
        func shape(_ factor: String, _ expected: (_ shape: [Int]) -> [Int]) throws -> [Int] {
            let name = "\(own).lora_\(factor).weight"
            guard let tensor = try file.tensor(named: name) else {
                throw ConvertError.missingTensor(folder: path, name: name)
            }
            let expected = expected(tensor.shape)
            guard tensor.shape == expected else {
                throw ConvertError.badShape(
                    tensor: name, got: tensor.shape, expected: expected, by: "adapter_config.json")
            }
            return tensor.shape
        }
        let down = try shape("A") { [rank, $0.last ?? 0] }
        let up = try shape("B") { [$0.first ?? 0, rank] }
        return (up[0], down[1])
    }

    /// A [rank, inputs] and B [outputs, rank] of a module that is changed, as they stand in the file.
    package func factors(of module: String) throws -> (down: [Float], up: [Float]) {
        let (outputs, inputs) = try size(of: module)
        let own = modules[module] ?? module
        return (
            try values("\(own).lora_A.weight", [rank, inputs]), try values("\(own).lora_B.weight", [outputs, rank])
        )
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
        guard tensor.shape == shape else {
            throw ConvertError.badShape(tensor: name, got: tensor.shape, expected: shape, by: "adapter_config.json")
        }
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

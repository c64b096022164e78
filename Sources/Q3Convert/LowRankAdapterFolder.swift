// A LoRA adapter on its way to disk as PEFT keeps it: adapter_config.json and adapter_model.safetensors.
package import Q3System

/// What a PEFT folder says, without the values of its matrices, which are asked for one module after the other.
package struct LowRankAdapterFolder: Sendable {
    /// One matrix that is changed.
    package struct Module: Sendable, Equatable {
        /// Its name in a bare model, such as "layers.0.self_attn.q_proj".
        package let name: String
        package let outputs: Int
        package let inputs: Int

        package init(name: String, outputs: Int, inputs: Int) {
            (self.name, self.outputs, self.inputs) = (name, outputs, inputs)
        }
    }

    /// A [rank, inputs] and B [outputs, rank].
    package typealias Factors = (down: [Float], up: [Float])

    /// The key of the model's fingerprint in the metadata of the safetensors file: PEFT warns of keys that it does not know
    /// in its own file, and reads none here.
    package static let fingerprintKey = "q3.model_fingerprint"

    /// Rows of every A.
    package var rank: Int
    /// B · A is multiplied with alpha / rank.
    package var alpha: Double
    /// In the order in which they are written.
    package var modules: [Module]
    /// What PEFT's `target_modules` lists; nil for the names of all modules.
    package var targets: [String]?
    /// What PEFT has before the names of bare models: nothing, or "model." in a model with a head.
    package var modulePrefix = ""
    /// PEFT's name of what the model is for, such as FEATURE_EXTRACTION.
    package var task = "FEATURE_EXTRACTION"
    /// The name or path of the model that it changes.
    package var baseName = ""
    /// Of the model that it was trained on, where that is known.
    package var fingerprint: String?

    package init(rank: Int, alpha: Double, modules: [Module]) {
        (self.rank, self.alpha, self.modules) = (rank, alpha, modules)
    }

    /// `adapter_config.json`.
    package var config: String {
        let list = (targets ?? modules.map(\.name)).map { "    \(JSONText.quoted($0))" }.joined(separator: ",\n")
        return """
            {
              "alpha_pattern": {},
              "auto_mapping": null,
              "base_model_name_or_path": \(JSONText.quoted(baseName)),
              "bias": "none",
              "fan_in_fan_out": false,
              "inference_mode": true,
              "init_lora_weights": true,
              "lora_alpha": \(Int(exactly: alpha).map { "\($0)" } ?? "\(alpha)"),
              "lora_dropout": 0.0,
              "modules_to_save": null,
              "peft_type": "LORA",
              "r": \(rank),
              "rank_pattern": {},
              "target_modules": [
            \(list)
              ],
              "task_type": \(JSONText.quoted(task)),
              "use_dora": false,
              "use_rslora": false
            }

            """
    }

    /// The head of `adapter_model.safetensors`, after which the factors of the modules follow in their order.
    private var header: [UInt8] {
        let fingerprint = fingerprint.map { ",\(JSONText.quoted(Self.fingerprintKey)):\(JSONText.quoted($0))" }
        var entries = ["\"__metadata__\":{\"format\":\"pt\"\(fingerprint ?? "")}"]
        var end = 0
        for module in modules {
            for (factor, shape) in [("A", [rank, module.inputs]), ("B", [module.outputs, rank])] {
                let name = JSONText.quoted("base_model.model.\(modulePrefix)\(module.name).lora_\(factor).weight")
                let start = end
                end += shape[0] * shape[1] * MemoryLayout<Float>.size
                entries.append(
                    "\(name):{\"dtype\":\"F32\",\"shape\":[\(shape[0]),\(shape[1])],\"data_offsets\":[\(start),\(end)]}"
                )
            }
        }
        var text = Array("{\(entries.joined(separator: ","))}".utf8)
        while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
        return unsafe withUnsafeBytes(of: UInt64(text.count).littleEndian) { unsafe [UInt8]($0) } + text
    }

    /// Writes both files into a folder that is there; each appears when it is whole. `factors` is asked for those of each
    /// module, by its index. Throws `ConvertError.cannotWrite`, and what `factors` throws.
    package func write(to folder: String, factors: (Int) throws -> Factors) throws {
        try Self.write("\(folder)/adapter_model.safetensors") { write in
            try write(header)
            for index in modules.indices {
                let (down, up) = try factors(index)
                for values in [down, up] { try write(unsafe values.withUnsafeBytes { unsafe [UInt8]($0) }) }
            }
        }
        try Self.write("\(folder)/adapter_config.json") { write in try write(Array(config.utf8)) }
    }

    private static func write(_ path: String, _ body: (_ write: ([UInt8]) throws -> Void) throws -> Void) throws {
        do {
            let file = try AtomicFile(path: path)
            try body { unsafe try file.write($0.span.bytes) }
            try file.commit()
        } catch let error as SystemError {
            throw ConvertError.cannotWrite(path: path, code: error.code)
        }
    }
}

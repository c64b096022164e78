// The state of a training in a file, from which it goes on as if nothing had happened.
import Q3GGUF
import Q3System

/// Everything that the rest of a training depends on.
public struct Checkpoint: Sendable, Equatable {
    /// What the training is, for people and to be compared: JSON.
    public var job: String
    /// Losses and scores of the steps taken.
    public var history: TrainingHistory
    /// Lists of values by name: what is learned, the optimizer's means, the best step.
    public var values: [String: [Float]]

    /// The state of a training.
    public init(job: String, history: TrainingHistory, values: [String: [Float]]) {
        (self.job, self.history, self.values) = (job, history, values)
    }

    private enum Key {
        static let type = "general.type"
        static let typeName = "q3-training"
        static let version = "training.version"
        static let job = "training.job"
        static let losses = "training.losses"
        static let scoreSteps = "training.score_steps"
        static let scores = "training.scores"
    }

    /// Writes the state beside `path` and gives it that name when it is whole. `announcing` is told the name until then. Throws
    /// `GGUFError.cannotWrite`.
    public func write(to path: String, announcing: (_ temporaryPath: String) -> Void = { _ in }) throws {
        var writer = GGUFWriter()
        writer.set(Key.type, to: .string(Key.typeName))
        writer.set(Key.version, to: .uint32(1))
        writer.set(Key.job, to: .string(job))
        writer.set(Key.losses, to: .array(MetadataArray(history.losses)))
        writer.set(Key.scoreSteps, to: .array(MetadataArray(history.scores.map { UInt64($0.step) })))
        writer.set(Key.scores, to: .array(MetadataArray(history.scores.map(\.value))))
        for (name, list) in values.sorted(by: { $0.key < $1.key }) {
            let bytes = unsafe list.withUnsafeBytes { unsafe [UInt8]($0) }
            writer.addTensor(name, shape: [list.count], type: .f32, bytes: bytes)
        }
        try writer.create(at: path, announcing: announcing).commit()
    }

    /// Reads a state. Throws `badCheckpoint` for anything else.
    public init(path: String) throws(TrainingError) {
        func fault(_ what: String) -> TrainingError { .badCheckpoint(path: path, fault: what) }
        do throws(GGUFError) {
            let file = try GGUFFile(path: path, copying: true)
            guard try file.metadata.optionalString(Key.type) == Key.typeName else {
                throw GGUFError.missingKey(Key.version)
            }
            let version = try file.metadata.uint32(Key.version)
            let steps: [UInt64] = try file.metadata.required(Key.scoreSteps)
            let scores: [Double] = try file.metadata.required(Key.scores)
            let losses: [Double] = try file.metadata.required(Key.losses)
            job = try file.metadata.string(Key.job)
            guard version == 1, steps.count == scores.count, steps.allSatisfy({ $0 <= UInt64(losses.count) }) else {
                throw GGUFError.missingKey(Key.scores)
            }
            history = TrainingHistory(
                losses: losses, scores: zip(steps, scores).map { TrainingHistory.Score(step: Int($0), value: $1) })
            values = [:]
            for tensor in file.tensors where tensor.type == .f32 {
                values[tensor.name] = file.withBytes(of: tensor) { bytes in
                    (0..<tensor.elementCount).map {
                        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
                    }
                }
            }
        } catch {
            throw fault("\(error)")
        }
    }
}

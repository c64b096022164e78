// What a LoRA training says of its time: the layers below while they are computed, and each step for a file.
#if Training
import Q3Model
import Q3System
import Q3Training
import Synchronization

/// How far the layers below the trained ones are.
final class TrunkProgress: Sendable {
    private let line = ProgressLine()
    private let layerCount: Int
    private let start = ContinuousClock.now
    private let last = Mutex((tokens: 0, first: ContinuousClock.Instant?.none, end: ContinuousClock.Instant?.none))

    init(_ model: Qwen3Model, layers: Int?) {
        layerCount = model.config.layerCount - min(model.config.layerCount, layers ?? model.config.layerCount)
    }

    @Sendable func show(_ progress: Progress) {
        let now = ContinuousClock.now
        last.withLock { last in
            if last.first == nil { last.first = now }
            (last.tokens, last.end) = (progress.completed, now)
        }
        line.show { [layerCount] elapsed in
            let seconds = elapsed / .seconds(1)
            let part = progress.fraction
            let left = part > 0.005 ? ", \(RunProgress.time(seconds / part * (1 - part))) left" : ""
            return ProgressLine.bar(part, beside: "the \(layerCount) layers below\(left)", width: Terminal.width(2))
        }
    }

    /// Tokens that were computed, and how long that took; none where the file had them all.
    var result: (tokens: Int, seconds: Double) {
        last.withLock { last in
            guard let first = last.first, let end = last.end else { return (0, 0) }
            return (last.tokens, (end - first) / .seconds(1))
        }
    }

    func finish() {
        line.finish()
        let (tokens, seconds) = result
        if tokens > 0, seconds > 0, layerCount > 0 {
            Terminal.say(
                "the \(layerCount) layers below: \(tokens) tokens in \(RunProgress.time(seconds)), "
                    + "\(Int(Double(tokens) / seconds)) tokens/s")
        }
    }
}

/// A line of JSON for each step.
final class StepLog {
    private let file: OutputFile

    init(path: String, trunk: TrunkProgress) throws {
        file = try OutputFile(path: path, inputs: [])
        let (tokens, seconds) = trunk.result
        var object = JSONObject()
        object.add("trunk_tokens", tokens)
        object.add("trunk_seconds", seconds)
        try file.write(Array("\(object)\n".utf8))
    }

    /// The step that was taken last.
    func add(_ training: LoRATraining) throws {
        let time = training.lastTime
        var object = JSONObject()
        object.add("step", training.stepsTaken)
        object.add("loss", training.history.losses.last ?? 0)
        object.add("tokens", time.tokens)
        object.add("forward_seconds", time.forward)
        object.add("loss_seconds", time.loss)
        object.add("backward_seconds", time.backward)
        try file.write(Array("\(object)\n".utf8))
    }

    func finish() throws { try file.finish() }
}

extension LoRATraining {
    /// Tokens per second of the passes of all steps, and the most memory that the process had.
    var speed: String {
        let time = totalTime
        let rate = { (seconds: Double) in seconds > 0 ? "\(Int(Double(time.tokens) / seconds))" : "-" }
        return "forward \(rate(time.forward)) tokens/s, backward \(rate(time.backward)) tokens/s, "
            + "peak memory \(ResidentMemory.peakByteCount >> 20) MiB"
    }
}
#endif

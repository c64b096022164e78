// The state of a training on disk: written every few seconds, resumed by --resume, removed when the result is there.
#if Training
import Q3GGUF
import Q3Input
import Q3System
import Q3Training

final class TuneState {
    let path: String
    private let job: String
    private var lastWrite = ContinuousClock.now
    private static let interval = Duration.seconds(5)

    /// For a training whose result is written to `output`.
    init(output: String, job: ResumableJob) {
        path = "\(output).q3-tune"
        self.job = job.json
    }

    /// The state of an earlier run of the same job; nil where there is none, or where it is not to be used.
    func load(resuming: Bool, job: ResumableJob) throws -> Checkpoint? {
        guard InputFolder.isFile(path) else {
            if resuming { Terminal.say("there is nothing to resume: \(path) does not exist; the training begins") }
            return nil
        }
        guard resuming else {
            Terminal.say("an earlier run left \(path); it is started over, since --resume is not given")
            return nil
        }
        let checkpoint = try Checkpoint(path: path)
        guard let earlier = try? Fields(json: checkpoint.job) else {
            throw Failure(.badData, "\(path) does not say what it is the state of; delete it to start over")
        }
        if let difference = job.difference(from: earlier) {
            throw Failure(
                .usage,
                "cannot resume \(path): \(difference); give another --output, or leave out --resume to start over")
        }
        Terminal.say("resuming after step \(checkpoint.history.losses.count)")
        return checkpoint
    }

    /// Writes the state if the last one is old enough, or if `isDue`.
    func save(isDue: Bool = false, _ state: () -> (history: TrainingHistory, values: [String: [Float]])) throws {
        guard isDue || ContinuousClock.now - lastWrite > Self.interval else { return }
        lastWrite = .now
        let (history, values) = state()
        let checkpoint = Checkpoint(job: job, history: history, values: values)
        var partPath: String?
        try checkpoint.write(to: path) { name in
            partPath = name
            Interruption.deferred { unfinished in _ = unfinished.insert(name) }
        }
        if let partPath { Interruption.deferred { unfinished in _ = unfinished.remove(partPath) } }
        Interruption.sayWhenInterrupted(
            "interrupted; the state after step \(history.losses.count) is in \(path): the same command with --resume continues"
        )
    }

    /// Removes the state: the result is there.
    func remove() {
        unsafe unlink(path)
        Interruption.sayWhenInterrupted(nil)
    }
}
#endif

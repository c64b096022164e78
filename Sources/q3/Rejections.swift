// What happens to records that cannot be used: listed on stderr and left out, or the end of the command.
import Q3Embedding
import Q3Input
import Q3Reranking

struct Rejections {
    /// Whether the first rejected record is fatal.
    private let strict: Bool
    private(set) var count = 0

    init(strict: Bool) { self.strict = strict }

    /// What was computed for a record; nil for one that is left out.
    mutating func output<Content, Output, Fault: Error>(
        of record: Record<Content>, _ result: Result<Output, Fault>?
    ) throws -> Output? {
        switch (record.content, result) {
        case (.failure(let error), _): try add(record.name, error.message, status: .badData)
        case (.success, .success(let output)?): return output
        case (.success, .failure(let error)?):
            let failure = Failure(error)
            try add(record.name, failure.message ?? "", status: failure.status)
        case (.success, nil): break
        }
        return nil
    }

    /// The content of a record that needs no computing; nil for one that is left out.
    mutating func content<Content>(of record: Record<Content>) throws -> Content? {
        try output(of: record, record.content)
    }

    /// Leaves out the record of that name; `status` is that of a command that ends here.
    mutating func add(_ record: String, _ message: String, status: ExitStatus) throws {
        guard !strict else { throw Failure(status, "\(record): \(message)") }
        Terminal.say("rejected \(record): \(message)")
        count += 1
    }

    /// Counts records that an earlier run of the same job left out.
    mutating func addEarlier(_ earlier: Int) { count += earlier }

    /// Throws the status of a run that left records out.
    func finish() throws {
        guard count > 0 else { return }
        throw Failure(.someRejected, "\(count) \(count == 1 ? "record was" : "records were") rejected, see above")
    }
}

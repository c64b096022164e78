// What happens to records that cannot be used: listed on stderr and left out, or the end of the command.

struct Rejections {
    /// Whether the first rejected record is fatal.
    private let strict: Bool
    private var count = 0

    init(strict: Bool) { self.strict = strict }

    /// Leaves out the record of that name; `status` is that of a command that ends here.
    mutating func add(_ record: String, _ message: String, status: ExitStatus = .badData) throws {
        guard !strict else { throw Failure(status, "\(record): \(message)") }
        Terminal.say("rejected \(record): \(message)")
        count += 1
    }

    /// Throws the status of a run that left records out.
    func finish() throws {
        guard count > 0 else { return }
        throw Failure(.someRejected, "\(count) \(count == 1 ? "record was" : "records were") rejected, see above")
    }
}

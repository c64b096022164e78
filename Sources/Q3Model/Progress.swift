// How far a call has come.

/// Tokens that were read, of those that a call reads in all; what every `progress` closure of the package gets.
///
/// A closure is called on any thread, after each layer of each batch at most, and last with `completed == total`.
public struct Progress: Sendable, Equatable {
    /// Tokens finished so far, 0...total.
    public var completed: Int
    /// Tokens of the whole call, with prompts and closing tokens. Of a sequence: of the texts that were taken from it so
    /// far.
    public var total: Int

    /// Progress at a number of tokens.
    public init(completed: Int, total: Int) {
        self.completed = completed
        self.total = total
    }

    /// The finished part, 0...1; 1 where there is nothing to do.
    public var fraction: Double { total > 0 ? Double(completed) / Double(total) : 1 }
}

// How far a call has come.

/// What is finished, of all that a call has to do; what every `progress` closure of the package gets.
///
/// It counts tokens where a model computes; a call that counts anything else, such as bytes, says so.
///
/// A closure is called on any thread, after each layer of each batch at most, and last with `completed == total`.
public struct Progress: Sendable, Equatable {
    /// Units finished so far, 0...total.
    public var completed: Int
    /// Units of the whole call. Tokens include prompts and closing tokens; for a sequence they are those of the texts taken
    /// from it so far.
    public var total: Int

    /// Progress at a number of units.
    public init(completed: Int, total: Int) {
        self.completed = completed
        self.total = total
    }

    /// The finished part, 0...1; 1 where there is nothing to do.
    public var fraction: Double { total > 0 ? Double(completed) / Double(total) : 1 }
}

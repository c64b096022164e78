// What can be wrong with vectors that are to be compared.

/// Errors of matrices of vectors. Rows are counted from 0.
public enum LinearError: Error, Sendable, Equatable {
    /// So many bytes are needed beside those that this process has. `available` are those that it can have, as far as the system
    /// says, and `limit` what keeps it from more.
    case outOfMemory(byteCount: Int, available: Int? = nil, limit: String? = nil)
    /// A row has another number of values than the rows before it.
    case dimensions(row: Int, expected: Int, got: Int)
    /// A value is NaN or infinite.
    case notFinite(row: Int)
    /// All values of a row are zero, so that it has no direction.
    case zeroVector(row: Int)
    /// Rows without values, or with more than there is a use for.
    case badDimensions(Int)
    /// Two sets of vectors that cannot be compared.
    case otherDimensions(Int, Int)
    /// The system lets fewer threads run.
    case cannotStartThreads(expected: Int, got: Int)
}

extension LinearError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .outOfMemory(let byteCount, let available, let limit):
            "not enough memory: \(Self.mebibytes(byteCount)) more are needed, and "
                + (available.map { "\(Self.mebibytes($0)) can be had" } ?? "that cannot be had")
                + (limit.map { " by \($0)" } ?? "")
                + "; take fewer rows or fewer dimensions (--dimensions), or give this process more memory"
        case .dimensions(let row, let expected, let got):
            "row \(row) has \(got) values, those before it \(expected); all must come from one model"
        case .notFinite(let row): "row \(row) has a value that is not a finite number; make it again"
        case .zeroVector(let row): "row \(row) is all zeros and has no direction; leave it out"
        case .badDimensions(let count): "vectors of \(count) values; 1 to \(VectorMatrix.dimensionLimit) are possible"
        case .otherDimensions(let a, let b):
            "vectors of \(a) and of \(b) values cannot be compared; make both with the same model and --dimensions"
        case .cannotStartThreads(let expected, let got):
            "the system lets \(got) of \(expected) threads run; ask for fewer, or raise the limit (ulimit -u), or that on memory (ulimit -v)"
        }
    }

    /// Rounded up, so that what is needed is more than what can be had in words too.
    private static func mebibytes(_ byteCount: Int) -> String {
        "\(byteCount >> 20 + (byteCount & 0xFFFFF > 0 ? 1 : 0)) MiB"
    }
}

// What can be wrong with vectors that are to be compared.

/// Errors of matrices of vectors. Rows are counted from 0.
public enum LinearError: Error, Sendable, Equatable {
    /// There is not enough memory for so many bytes.
    case outOfMemory(byteCount: Int)
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
        case .outOfMemory(let byteCount):
            "not enough memory for \(byteCount >> 20) MiB of vectors; take fewer rows or fewer dimensions"
        case .dimensions(let row, let expected, let got):
            "row \(row) has \(got) values, those before it \(expected); all must come from one model"
        case .notFinite(let row): "row \(row) has a value that is not a finite number; make it again"
        case .zeroVector(let row): "row \(row) is all zeros and has no direction; leave it out"
        case .badDimensions(let count): "vectors of \(count) values; 1 to \(VectorMatrix.dimensionLimit) are possible"
        case .otherDimensions(let a, let b):
            "vectors of \(a) and of \(b) values cannot be compared; make both with the same model and --dimensions"
        case .cannotStartThreads(let expected, let got):
            "the system lets \(got) of \(expected) threads run; ask for fewer, or raise the limit (ulimit -u)"
        }
    }
}

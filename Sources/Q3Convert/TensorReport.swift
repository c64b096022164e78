// What became of the tensors: types, sizes and errors.
public import Q3GGUF
public import Q3Kernels

/// One tensor of a file that was made.
public struct TensorReport: Sendable, Equatable {
    public let name: String
    /// The fastest axis first.
    public let shape: [Int]
    public let oldType: TensorType
    public let newType: TensorType
    public let byteCount: Int
    /// How far its values are from what they were; nothing for a copy.
    public let difference: WeightDifference
}

/// A file that was made.
public struct FileReport: Sendable, Equatable {
    public let fileType: FileType
    public let tensors: [TensorReport]

    /// Bytes of all tensors.
    public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// All values that changed their type.
    public var difference: WeightDifference {
        tensors.reduce(into: WeightDifference()) { $0 += $1.difference }
    }

    /// Whether values were rounded that had been rounded before, which costs more than doing it once.
    public var wasQuantizedBefore: Bool {
        tensors.contains { $0.oldType.itemsPerBlock > 1 && $0.newType != $0.oldType }
    }
}

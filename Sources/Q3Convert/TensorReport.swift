// A report of the tensors that were made: types, sizes and errors.
package import Q3GGUF
package import Q3Kernels

/// One tensor of a file that was made.
package struct TensorReport: Sendable, Equatable {
    package let name: String
    /// The fastest axis first.
    package let shape: [Int]
    package let oldType: TensorType
    package let newType: TensorType
    package let byteCount: Int
    /// How far its values are from the original ones; zero for a copy.
    package let difference: WeightDifference
}

/// A file that was made.
package struct FileReport: Sendable, Equatable {
    package let fileType: FileType
    package let tensors: [TensorReport]

    /// Bytes of all tensors.
    package var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// All values that changed their type.
    package var difference: WeightDifference {
        tensors.reduce(into: WeightDifference()) { $0 += $1.difference }
    }

    /// Whether values were rounded that had been rounded before, which loses more than rounding once.
    package var wasQuantizedBefore: Bool {
        tensors.contains { $0.oldType.itemsPerBlock > 1 && $0.newType != $0.oldType }
    }
}

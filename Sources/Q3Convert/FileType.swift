// The kinds of files that q3 makes, as people name them.
package import Q3GGUF

/// What most matrices of a file are stored as; the names are those that file names have.
package enum FileType: String, Sendable, CaseIterable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8_0 = "Q8_0"
    case q6_K = "Q6_K"
    case q5_K_M = "Q5_K_M"
    case q5_K_S = "Q5_K_S"
    case q5_1 = "Q5_1"
    case q5_0 = "Q5_0"
    case q4_K_M = "Q4_K_M"
    case q4_K_S = "Q4_K_S"
    case q4_1 = "Q4_1"
    case q4_0 = "Q4_0"

    /// The type of that name in capitals or small letters; Q4_K and Q5_K mean their M mixes, as elsewhere.
    package init?(name: String) {
        let name = name.uppercased()
        self.init(rawValue: ["Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"][name] ?? name)
    }

    /// The value of `general.file_type`.
    var id: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q4_K_S: 14
        case .q4_K_M: 15
        case .q5_K_S: 16
        case .q5_K_M: 17
        case .q6_K: 18
        case .bf16: 32
        }
    }

    /// What a matrix becomes where no rule of the mix says otherwise.
    package var tensorType: TensorType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        case .q6_K: .q6_K
        case .q5_K_M, .q5_K_S: .q5_K
        case .q5_1: .q5_1
        case .q5_0: .q5_0
        case .q4_K_M, .q4_K_S: .q4_K
        case .q4_1: .q4_1
        case .q4_0: .q4_0
        }
    }

    /// Whether values lie in blocks with scales.
    var isQuantized: Bool { tensorType.itemsPerBlock > 1 }
}

// Which models of a server keep their weights packed where nobody says: those that its memory clearly has room for.
#if Server
import Q3GGUF
import Q3Model
import Q3System

struct PackedWeights {
    /// The share of the available memory that a server takes for them by itself.
    static let share = 8

    private let asked: Int?
    private var room: Int

    /// - Parameters:
    ///   - megabytes: What the user asks for each model, nil if nothing.
    ///   - available: Bytes of memory that nobody uses.
    init(asked megabytes: Int?, available: Int? = MemoryLimit.available) {
        asked = megabytes.map { $0 << 20 }
        room = (available ?? 0) / Self.share
    }

    /// Max bytes for a model that is opened next: all of its weights or none.
    mutating func bytes(for file: GGUFFile, precision: Precision) throws -> Int {
        if let asked { return asked }
        let all = try Qwen3Model.packedWeightBytes(of: file, precision: precision)
        guard all <= room else { return 0 }
        room -= all
        return all
    }
}
#endif

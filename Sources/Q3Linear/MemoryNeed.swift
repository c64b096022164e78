// Memory that is asked for before it is taken, so that too little of it is an error: Swift's arrays end the process.
import Q3Kernels
import Q3Model
import Q3System

/// Bytes that steps of a computation take.
package enum MemoryNeed {
    /// Less is not worth looking at limits.
    private static let smallByteCount = 1 << 20

    /// Throws `outOfMemory` where so many bytes more cannot be had.
    package static func check(_ byteCount: Int) throws(LinearError) {
        guard byteCount >= smallByteCount else { return }
        guard let room = MemoryRoom.lacking(byteCount) else { return }
        throw .outOfMemory(byteCount: byteCount, available: room.byteCount, limit: room.limit.rawValue)
    }

    /// The same, after the threads that compute have started and taken what they need. Throws `cannotStartThreads` too.
    package static func check(_ byteCount: Int, startingThreads threads: Int?) async throws {
        let threads = try TileWalk.threadCount(threads)
        try await InferenceThread.shared().run { Parallel.forEach(count: threads, threads: threads) { _, _ in } }
        try check(byteCount)
    }

    /// Bytes of an array of its own on the heap: its header, and what malloc rounds up to.
    package static func array(_ count: Int, of stride: Int) -> Int { count == 0 ? 0 : (count * stride + 55) / 16 * 16 }

    /// Bytes of rows in a `VectorMatrix`.
    package static func rows(_ count: Int, dimensions: Int) -> Int {
        VectorMatrix.padded(max(count, 16)) * VectorMatrix.padded(columns: dimensions) * MemoryLayout<Float>.stride
    }
}

extension Array {
    /// The elements of all parts, in memory for just as many.
    package func concatenated<Part>() -> [Part] where Element == [Part] {
        var all: [Part] = []
        all.reserveCapacity(reduce(0) { $0 + $1.count })
        for part in self { all += part }
        return all
    }
}

/// Memory that grows with what is read, whose size nobody knows before.
package struct GrowingMemory {
    /// Bytes of arrays for each item: they are copied as they grow, and then need twice of it again.
    private let arrayBytes: Int
    private var count = 0
    private var left = 0

    /// Bytes that are asked for at once: as many as were taken so far, within these.
    private static let steps = 1 << 20...16 << 20
    private var taken = 0

    package init(arrayBytes: Int) { self.arrayBytes = arrayBytes }

    /// Asks for the memory of one more item, which has so many bytes beside those of the arrays. Throws `outOfMemory`.
    package mutating func take(_ byteCount: Int) throws(LinearError) {
        count += 1
        taken += byteCount + arrayBytes
        left -= byteCount + arrayBytes
        guard left < 0 else { return }
        left = min(max(taken, Self.steps.lowerBound), Self.steps.upperBound)
        try MemoryNeed.check(left + byteCount + 2 * count * arrayBytes)
    }
}

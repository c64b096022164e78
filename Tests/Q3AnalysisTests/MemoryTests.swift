// Memory: what is foretold beside what was measured, and too little of it as an error in place of a crash.
import Q3Linear
import Q3System
import Testing

@testable import Q3Analysis

@Suite struct MemoryTests {
    @Test func `what is foretold grows with rows, values and results`() {
        let million = 1_000_000
        let base = AnalysisMemory.duplicates(rows: million, dimensions: 256)
        #expect(AnalysisMemory.duplicates(rows: 2 * million, dimensions: 256) > base * 3 / 2)
        #expect(AnalysisMemory.vectors(rows: million, dimensions: 256) == million * 1024)
        #expect(
            AnalysisMemory.clusters(rows: million, dimensions: 256, count: 10_000)
                > AnalysisMemory.clusters(rows: million, dimensions: 256, count: 100))
        #expect(AnalysisMemory.clusters(rows: 3, dimensions: 4, count: 1000) < 1 << 20)
        #expect(
            AnalysisMemory.bitext(left: million, right: 10, neighbors: 100)
                > AnalysisMemory.bitext(left: million, right: 10, neighbors: 4))
        var options = NegativeOptions()
        let few = AnalysisMemory.negatives(queries: million, passages: million, options: options)
        options.rangeMax = 100
        #expect(AnalysisMemory.negatives(queries: million, passages: million, options: options) > 2 * few)
        #expect(
            AnalysisMemory.training(rows: million, dimensions: 256, labels: 20, folds: 5)
                > AnalysisMemory.training(rows: million, dimensions: 256, labels: 20)
                + AnalysisMemory.vectors(rows: million, dimensions: 256))
        #expect(
            AnalysisMemory.probabilities(rows: million, labels: 100) > 2 * million * 100 * MemoryLayout<Double>.stride)
    }

    /// Measured by limits.py with 1,000,000 vectors of 64 values in the program, which itself takes 20 MiB and keeps 24 bytes of
    /// each row: 50 clusters took 329 MiB.
    @Test func `what is foretold is near what was measured`() {
        let rows = 1_000_000
        let program = 20 << 20 + 24 * rows + AnalysisMemory.vectors(rows: rows, dimensions: 64)
        let clusters = program + AnalysisMemory.clusters(rows: rows, dimensions: 64, count: 50)
        #expect(abs(clusters >> 20 - 329) < 329 / 10)
    }

    #if os(Linux)
    @Test func `too little address space is an error of every function`() async {
        await #expect(processExitsWith: .success) {
            // Each row is needed by one number at least: four megabytes.
            let count = 500_000
            var builder = try VectorMatrixBuilder(dimensions: 2, capacity: count)
            for row in 0..<count { try builder.append(row.isMultiple(of: 2) ? [1, 0] : [0, 1]) }
            let rows = builder.finish()
            let few = try VectorMatrix([[1, 0], [0, 1]])
            let labels = (0..<count).map { "\($0 % 2)" }
            let sizes = [Int](repeating: 1, count: count)
            let positives = [[Int]](repeating: [0], count: count)
            let head = try await Classifier.train(few, labels: ["0", "1"], kind: .neighbors)
            _ = try await SphericalKMeans.fit(few, options: .oneThread)
            try limitAddressSpace(toSpare: 1 << 20)
            try await expectShortage { _ = try await Duplicates.find(in: rows, options: .oneThread) }
            try await expectShortage { _ = try await Duplicates.overlap(of: rows, with: few, options: .oneThread) }
            try await expectShortage { _ = try await SphericalKMeans.fit(rows, options: .oneThread) }
            try await expectShortage { _ = try await Communities.find(in: rows, options: .oneThread) }
            try await expectShortage { _ = try await Classifier.train(rows, labels: labels, threads: 1) }
            try await expectShortage { _ = try await Classifier.validate(rows, labels: labels, threads: 1) }
            try await expectShortage { _ = try await head.probabilities(of: rows, threads: 1) }
            try await expectShortage { _ = try await Bitext(left: rows, right: few, options: .oneThread) }
            try await expectShortage { _ = try await ClusterMap(rows, threads: 1) }
            try await expectShortage { _ = try ClusterTree.merges(centers: rows, sizes: sizes) }
            try await expectShortage {
                _ = try await HardNegatives.mine(
                    queries: rows, passages: few, positives: positives, options: .oneThread)
            }
            try await expectShortage { _ = try VectorMatrixBuilder(dimensions: 2, capacity: count) }
            // What is small goes on.
            _ = try await SphericalKMeans.fit(few, options: .oneThread)
        }
    }
    #endif
}

#if os(Linux)
/// Lets this process have so many bytes of address space more.
private func limitAddressSpace(toSpare byteCount: Int) throws {
    struct CannotLimit: Error {}
    var limit = rlimit()
    limit.rlim_cur = rlim_t(try #require(MemoryRoom.addressSpaceInUse) + byteCount)
    limit.rlim_max = limit.rlim_cur
    guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { throw CannotLimit() }
}

/// Options of one thread, since there is no address space for the stack of another.
private protocol Threaded {
    init()
    var threads: Int? { get set }
}

extension Threaded {
    fileprivate static var oneThread: Self {
        var options = Self()
        options.threads = 1
        return options
    }
}

extension DuplicateOptions: Threaded {}
extension KMeansOptions: Threaded {}
extension CommunityOptions: Threaded {}
extension BitextOptions: Threaded {}
extension NegativeOptions: Threaded {}

private func expectShortage(_ body: () async throws -> Void) async throws {
    do {
        try await body()
        Issue.record("no error")
    } catch LinearError.outOfMemory(let byteCount, let available, let limit) {
        #expect(byteCount > 0 && (available ?? 0) < byteCount && limit?.contains("address space") == true)
    }
}
#endif

// The inputs that fuzzing found worth keeping, and random changes of them: no run traps.

import TestSupport
import Testing

@testable import Fuzz

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct FuzzTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzz/Corpus")

    private static func inputs(of target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = corpus.appending(path: target.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            ($0, try [UInt8](Data(contentsOf: folder.appending(path: $0))))
        }
    }

    @Test(arguments: FuzzTarget.allCases)
    func `corpus runs`(_ target: FuzzTarget) throws {
        let inputs = try Self.inputs(of: target)
        #expect(!inputs.isEmpty)
        let scratch = try ScratchFile()
        for input in inputs { try target.run(input.bytes, scratch) }
    }

    /// Seeded, so that a failure comes back: bytes set to edge values, taken out, put in, and swapped between inputs.
    @Test(arguments: FuzzTarget.allCases)
    func `mutations run`(_ target: FuzzTarget) throws {
        let inputs = try Self.inputs(of: target).map(\.bytes)
        let scratch = try ScratchFile()
        var random = SeededGenerator(seed: 1)
        for _ in 0..<target.mutationCount {
            var bytes = inputs.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...5, using: &random) { mutate(&bytes, inputs, &random) }
            try target.run(bytes, scratch)
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ inputs: [[UInt8]], _ random: inout SeededGenerator) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 0...8, using: &random))
        switch Int.random(in: 0...4, using: &random) {
        case 0: bytes.replaceSubrange(place..<end, with: [])
        case 1: bytes.replaceSubrange(place..<place, with: bytes[place..<end])
        case 2:
            for index in place..<end { bytes[index] = [0, 1, 0x7F, 0x80, 0xC3, 0xFF].randomElement(using: &random)! }
        case 3: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random) }
        default:
            let other = inputs.randomElement(using: &random) ?? []
            let start = Int.random(in: 0...other.count, using: &random)
            bytes.replaceSubrange(place..<end, with: other[start..<min(other.count, start + 32)])
        }
    }
}

extension FuzzTarget {
    /// What takes a few seconds in a debug build.
    fileprivate var mutationCount: Int {
        switch self {
        case .gguf: 1000
        case .vocabulary: 200
        case .text: 3000
        case .rerank: 300
        case .records: 3000
        case .checkpoint: 300
        #if Index
        case .segments: 1000
        #endif
        }
    }
}

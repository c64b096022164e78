// The thread team: every item once, and whole operations that give the bits of their kernels on any number of threads.

import CShims
import Q3GGUF
import Q3System
import TestSupport
import Testing

@testable import Q3Kernels

@Suite(.serialized) struct TeamTests {
    /// One row of marks for each thread, so that no two threads write to one place.
    private struct Marks {
        let cells: GuardedMemory<UInt32>
        let count: Int
    }

    @Test(arguments: [0, 1, 2, 1000], [1, 2, 8])
    func `every item runs once`(_ count: Int, _ threads: Int) {
        let marks = Marks(cells: GuardedMemory(count: threads * count), count: count)
        unsafe withUnsafePointer(to: marks) { marks in
            unsafe q3_parallel(
                UInt32(threads), count,
                { context, item, thread in
                    let marks = unsafe context!.assumingMemoryBound(to: Marks.self).pointee
                    unsafe marks.cells.base[Int(thread) * marks.count + item] += 1
                }, UnsafeMutableRawPointer(mutating: marks))
        }
        let cells = marks.cells.elements
        let times = (0..<count).map { item in (0..<threads).reduce(0) { $0 + cells[$1 * count + item] } }
        #expect(times == [UInt32](repeating: 1, count: count))
    }

    @Test func `there is a processor`() {
        #expect(processorCount >= 1)
    }

    // MARK: - Whole operations

    /// An arena with a team, an input and an output.
    private struct Bench {
        let arena: Arena
        let team: Team
        let x, first, second: FloatMatrix
        let input: Activations

        init(_ isa: ISA, threads: Int, tokens: Int, cols: Int, rows: Int, families: Set<PanelFamily>) throws {
            var layout = ArenaLayout()
            let x = layout.reserveFloats(tokens, cols)
            let first = layout.reserveFloats(tokens, rows)
            let second = layout.reserveFloats(tokens, rows)
            let places = ActivationPlaces(rows: tokens, widest: cols, families: families, in: &layout)
            let scratch = layout.reserve(
                byteCount: Team.scratchByteCount(threads: threads, widest: cols, headDim: 32))
            arena = try #require(Arena(byteCount: layout.byteCount))
            team = Team(isa: isa, threads: threads, scratch: scratch, in: arena, widest: cols, headDim: 32)
            self.x = arena.matrix(x, rows: tokens, cols: cols)
            self.first = arena.matrix(first, rows: tokens, cols: rows)
            self.second = arena.matrix(second, rows: tokens, cols: rows)
            input = Activations(places, in: arena, rows: tokens, cols: cols, families: families)
        }
    }

    private static let kinds = [
        Kind(type: .q4_0, family: .u8), Kind(type: .q8_0, family: .w16),
        Kind(type: .q5_0, family: .s8), Kind(type: .f16, family: .f32),
    ]

    /// Several panels, two products over one input, one of them added.
    @Test(arguments: ISA.available, [1, 2, 3])
    func `the team multiplies and adds several products over one input`(_ isa: ISA, _ threads: Int) throws {
        let (tokens, cols, rows) = (19, 96, 48)
        var random = SeededGenerator(seed: 51)
        let (x, start) = (random.floats(tokens * cols), random.floats(tokens * rows))
        for kind in Self.kinds {
            let bench = try Bench(
                isa, threads: threads, tokens: tokens, cols: cols, rows: rows, families: [kind.family])
            let memory = Weights(kind, rows: rows, cols: cols, seed: 52)
            let matrix = unsafe memory.matrix
            let weights = try #require(matrix)
            bench.x.store(x)
            bench.second.store(start)
            bench.team.prepare(bench.x, gain: nil, epsilon: 0, into: bench.input)
            bench.team.multiply(
                [Product(weights, into: bench.first), Product(weights, into: bench.second, adding: true)],
                input: bench.input)
            let (plain, added) = (bench.first.values(), bench.second.values())
            #expect(firstDifference(added, zip(start, plain).map { $0 + $1 }) == nil, "\(kind)")
            let input = ActivationRows(isa, x, cols: cols)
            for first in stride(from: 0, to: rows, by: 16) {
                let expected = input.times(memory.panel(isa, from: first), kind.family, isa)
                let got = (0..<tokens).flatMap { plain[$0 * rows + first..<$0 * rows + first + 16] }
                #expect(firstDifference(got, expected) == nil, "\(kind), rows from \(first)")
            }
        }
    }

    /// The fused operation gives the bits of two products and one SwiGLU.
    @Test(arguments: ISA.available, [1, 2, 3])
    func `the team fuses SwiGLU with its products`(_ isa: ISA, _ threads: Int) throws {
        let (tokens, cols, rows) = (70, 64, 48)
        var random = SeededGenerator(seed: 53)
        let x = random.floats(tokens * cols)
        for kind in Self.kinds {
            let bench = try Bench(
                isa, threads: threads, tokens: tokens, cols: cols, rows: rows, families: [kind.family])
            let gateMemory = Weights(kind, rows: rows, cols: cols, seed: 54)
            let upMemory = Weights(kind, rows: rows, cols: cols, seed: 55)
            let matrices = unsafe (gateMemory.matrix, upMemory.matrix)
            let (gate, up) = (try #require(matrices.0), try #require(matrices.1))
            bench.x.store(x)
            bench.team.prepare(bench.x, gain: nil, epsilon: 0, into: bench.input)
            bench.team.multiply(
                [Product(gate, into: bench.first), Product(up, into: bench.second)], input: bench.input)
            let (expected, ups) = (GuardedMemory(bench.first.values()), GuardedMemory(bench.second.values()))
            unsafe isa.kernels.swiglu(expected.base, ups.base, expected.count)
            bench.team.multiplySwiGLU(gate: gate, up: up, input: bench.input, into: bench.first)
            #expect(firstDifference(bench.first.values(), expected.elements) == nil, "\(kind)")
        }
    }

    // MARK: - Tables

    @Test func `tables of rotations match those in double`() {
        let (headDim, theta) = (64, 1e6)
        let rotations = Rotations(positions: 300, headDim: headDim, theta: Float(theta))
        #expect(rotations.cosines.count == 300 * 32 && rotations.sines.count == 300 * 32)
        for position in [0, 1, 2, 63, 299] {
            for pair in 0..<32 {
                let angle = Double(position) * 1 / pow(theta, Double(2 * pair) / Double(headDim))
                let index = position * 32 + pair
                #expect(abs(Double(rotations.cosines[index]) - cos(angle)) < 2e-5)
                #expect(abs(Double(rotations.sines[index]) - sin(angle)) < 2e-5)
            }
        }
    }

    @Test func `places in an arena do not overlap`() {
        var layout = ArenaLayout()
        let places = [1, 0, 64, 65, 1000, 3].map { layout.reserve(byteCount: $0) }
        var end = 0
        for place in places {
            #expect(place.offset >= end && place.offset.isMultiple(of: 64))
            end = place.offset + place.byteCount
        }
        #expect(places.map(\.byteCount) == [64, 0, 64, 128, 1024, 64])
        #expect(layout.byteCount == end)
    }
}

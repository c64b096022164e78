// Tiles of products and the search in them: the same bits from every instruction set, and the places that a loop finds one by one.
import Q3System
import TestSupport
import Testing

@testable import Q3Kernels

struct FloatTileTests {
    /// Each product by fused multiply-adds over the columns in their order.
    private func products(_ left: [Float], _ right: [Float], columns: Int) -> [Float] {
        let (leftCount, rightCount) = (left.count / columns, right.count / columns)
        return (0..<leftCount * rightCount).map { place in
            let (i, j) = (place / rightCount, place % rightCount)
            return (0..<columns).reduce(Float(0)) { sum, k in
                sum.addingProduct(left[i * columns + k], right[j * columns + k])
            }
        }
    }

    @Test(arguments: ISA.available)
    func `a product depends on its two rows alone`(_ isa: ISA) {
        var random = SeededGenerator(seed: 5)
        for (leftCount, rightCount, columns) in [(1, 16, 32), (7, 48, 96), (33, 32, 256), (256, 256, 64)] {
            let (left, right) = (random.floats(leftCount * columns), random.floats(rightCount * columns))
            let stride = rightCount + 3
            let (a, b) = (GuardedMemory(left), GuardedMemory(right))
            let into = GuardedMemory<Float>(count: (leftCount - 1) * stride + rightCount)
            let byteCount = FloatTile.scratchByteCount(columns: columns)
            let scratch = GuardedMemory<UInt8>(count: byteCount)
            unsafe FloatTile.multiply(
                left: a.base, leftCount: leftCount, right: b.base, rightCount: rightCount, columns: columns,
                into: into.base, stride: stride, scratch: UnsafeMutableRawPointer(scratch.base), isa: isa)
            let all = into.elements
            let got = (0..<leftCount).flatMap { all[$0 * stride..<$0 * stride + rightCount] }
            #expect(firstDifference(got, products(left, right, columns: columns)) == nil)
        }
    }

    /// The scalar twin of `FloatTile.find`.
    private func places(atLeast least: Float, in values: [Float]) -> [UInt32] {
        values.indices.filter { values[$0] >= least }.map { UInt32($0) }
    }

    @Test func `places of values are those of comparing one by one`() {
        var random = SeededGenerator(seed: 6)
        let special: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, 0.5, Float(0.5).nextDown]
        for count in Array(0...70) + [127, 128, 129, 255, 256, 1000] {
            for share in [0, 1, 8] {
                // None, few and many of the values are special ones.
                let values = random.floats(count).enumerated().map { index, value in
                    share > 0 && (index * 7 + count) % 9 < share ? special[index % special.count] : value / 2
                }
                let memory = GuardedMemory(values)
                let largest = unsafe FloatTile.largest(of: memory.base, count: count)
                #expect(largest == values.filter { !$0.isNaN }.max() ?? -.infinity)
                for least in [0.5, 0.4999, 0, -1, .infinity, -.infinity, .nan] as [Float] {
                    let found = GuardedMemory<UInt32>(count: count)
                    let hits = unsafe FloatTile.find(
                        atLeast: least, in: memory.base, count: count, into: found.base)
                    #expect(Array(found.elements.prefix(hits)) == places(atLeast: least, in: values))
                }
            }
        }
    }
}

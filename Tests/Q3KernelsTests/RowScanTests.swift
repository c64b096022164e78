// The scan of an index on every instruction set, at every number of rows that a tile leaves over, and its checksum.
import CShims
import Q3Kernels
import TestSupport
import Testing

@Suite struct RowScanTests {
    /// Values up to the ends of what rows hold: -127...127.
    private static func rows(_ count: Int, seed: UInt64) -> [Int8] {
        var random = SeededGenerator(seed: seed)
        return random.bytes(count).map { Int8(max(-127, Int(Int8(bitPattern: $0)))) }
    }

    @Test(arguments: ISA.available, [64, 128, 256, 1024, 4096])
    func `products are the sums of products`(isa: ISA, stride: Int) {
        for count in [1, 2, 3, 4, 5, 8, 11] {
            let rows = Self.rows(count * stride, seed: UInt64(stride + count))
            let query = Self.rows(stride, seed: 7)
            #expect(products(rows, count: count, query: query, isa: isa) == expected(rows, count: count, query: query))
        }
    }

    @Test(arguments: ISA.available) func `the largest products do not overflow`(isa: ISA) {
        for (row, query) in [(127, 127), (-127, 127), (127, -127), (-127, -127)] as [(Int8, Int8)] {
            let stride = 4096
            let rows = [Int8](repeating: row, count: 5 * stride)
            let product = products(rows, count: 5, query: [Int8](repeating: query, count: stride), isa: isa)
            #expect(product == [Int32](repeating: Int32(row) * Int32(query) * Int32(stride), count: 5))
        }
    }

    private func expected(_ rows: [Int8], count: Int, query: [Int8]) -> [Int32] {
        (0..<count).map { row in
            zip(rows[(row * query.count)...], query).reduce(0) { $0 + Int32($1.0) * Int32($1.1) }
        }
    }

    /// The products of rows that end at a page without access.
    private func products(_ rows: [Int8], count: Int, query: [Int8], isa: ISA) -> [Int32] {
        let memory = GuardedMemory<Int8>(count: rows.count)
        for index in rows.indices { unsafe memory.base[index] = rows[index] }
        var products = [Int32](repeating: .min, count: count + 1)
        unsafe RowScan.products(
            rows: memory.base, count: count, stride: query.count, query: query, into: &products, isa: isa)
        #expect(products.last == .min)
        return products.dropLast()
    }

    /// From RFC 3720, appendix B.4.
    @Test(arguments: [false, true]) func `checksums are those of iSCSI`(instructions: Bool) {
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0, count: 32), instructions: instructions) == 0x8A91_36AA)
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0xFF, count: 32), instructions: instructions) == 0x62A8_AB43)
        #expect(CRC32C.checksum(of: Array(0..<32), instructions: instructions) == 0x46DD_794E)
        #expect(CRC32C.checksum(of: Array("123456789".utf8), instructions: instructions) == 0xE306_9283)
    }
}

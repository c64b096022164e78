// Every readable type gives the values that the reference implementation gives for the same blocks: the same bits, but
// for the sign of a zero, which integers with folded scales do not have.

import CShims
import FoundationEssentials
import Q3GGUF
import Q3Kernels
import TestSupport
import Testing

struct DequantizeTests {
    @Test(arguments: Kind.readable)
    func `blocks give the values of the reference implementation`(_ type: TensorType) throws {
        let blocks = try fixture("blocks-\(type.name).q")
        let expected = try floats(fixture("blocks-\(type.name).f32"))
        for family in PanelFamily.allCases where family.supports(typeID: type.rawValue) {
            let weights = Weights(Kind(type: type, family: family), bytes: blocks, rows: 10)
            #expect(weights.cols == 256)
            let same = weights.dequantized() == expected
            #expect(same, "\(family)")
        }
    }

    @Test(arguments: Kind.readable)
    func `rows are read in any order`(_ type: TensorType) throws {
        let blocks = try fixture("blocks-\(type.name).q")
        let expected = try floats(fixture("blocks-\(type.name).f32"))
        let family = PanelFamily.f32
        let row = try unsafe blocks.withUnsafeBytes { bytes in
            let matrix = unsafe Matrix(bytes: bytes, typeID: type.rawValue, rows: 10, cols: 256, family: family)
            return try #require(matrix).dequantizedRow(7)
        }
        #expect(row == Array(expected[7 * 256..<8 * 256]))
        let output = GuardedMemory<Float>(count: 3 * 256)
        let weights = Weights(Kind(type: type, family: family), bytes: blocks, rows: 10)
        unsafe q3_dequantize_rows(weights.raw, [9, 0, 9] as [Int32], 3, output.base)
        let rows = [9, 0, 9].flatMap { expected[$0 * 256..<($0 + 1) * 256] }
        #expect(output.elements == rows)
    }

    private func fixture(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(filePath: Fixture.path(name))))
    }

    private func floats(_ bytes: [UInt8]) -> [Float] {
        unsafe bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }
}

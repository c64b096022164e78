// Weights to quantized blocks and back.

internal import CShims

/// Makes and reads the blocks of GGUF tensor types. Results have the same bits on every instruction set, and values the
/// same blocks wherever in a tensor a call begins.
package struct WeightCodec: Sendable {
    private let isa: ISA

    package init(isa: ISA = .best) {
        precondition(isa.isAvailable)
        self.isa = isa
    }

    /// Whether blocks of a type can be made.
    package static func canEncode(typeID: UInt32) -> Bool { q3_type_writable(typeID) }

    /// Whether blocks of a type can be read.
    package static func canDecode(typeID: UInt32) -> Bool { q3_type_readable(typeID) }

    /// Makes whole blocks of finite values, with the smallest squared error that a search finds; `blocks` has their exact
    /// size.
    @unsafe package func encode(
        _ values: UnsafeBufferPointer<Float>, typeID: UInt32, into blocks: UnsafeMutableRawBufferPointer
    ) {
        precondition(Self.canEncode(typeID: typeID))
        guard let source = values.baseAddress, let target = blocks.baseAddress else { return }
        unsafe isa.kernels.encode(typeID, source, values.count, target)
    }

    /// Reads whole blocks into `values`, which has their exact count.
    @unsafe package func decode(
        _ blocks: UnsafeRawBufferPointer, typeID: UInt32, into values: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(Self.canDecode(typeID: typeID))
        guard let source = blocks.baseAddress, let target = values.baseAddress else { return }
        unsafe isa.kernels.decode(typeID, source, values.count, target)
    }

    /// How far `values` are from `others`, which are equally many.
    @unsafe package func difference(
        _ values: UnsafeBufferPointer<Float>, _ others: UnsafeBufferPointer<Float>
    ) -> WeightDifference {
        precondition(values.count == others.count)
        guard let a = values.baseAddress, let b = others.baseAddress else { return WeightDifference() }
        let difference = unsafe isa.kernels.compare(a, b, values.count)
        return WeightDifference(
            count: values.count, squares: difference.squares, power: difference.power, largest: difference.largest)
    }
}

/// The difference between two lists of values.
package struct WeightDifference: Sendable, Equatable {
    package private(set) var count = 0
    /// Σ (value - other)²
    package private(set) var squares = 0.0
    /// Σ value²
    package private(set) var power = 0.0
    /// max |value - other|
    package private(set) var largest: Float = 0

    package init() {}

    init(count: Int, squares: Double, power: Double, largest: Float) {
        self.count = count
        self.squares = squares
        self.power = power
        self.largest = largest
    }

    /// The root of the mean squared difference.
    package var rmse: Double { count == 0 ? 0 : (squares / Double(count)).squareRoot() }
    /// `rmse` divided by the root of the mean squared value.
    package var relative: Double { power == 0 ? 0 : (squares / power).squareRoot() }
    /// Whether all values and their squares were finite.
    package var isFinite: Bool { squares.isFinite && power.isFinite }

    package static func += (total: inout WeightDifference, other: WeightDifference) {
        total.count += other.count
        total.squares += other.squares
        total.power += other.power
        total.largest = max(total.largest, other.largest)
    }
}

// Weights to quantized blocks and back.

internal import CShims

/// Makes and reads the blocks of GGUF tensor types. Results have the same bits on every instruction set, and values the
/// same blocks wherever in a tensor a call begins.
public struct WeightCodec: Sendable {
    private let isa: ISA

    public init(isa: ISA = .best) {
        precondition(isa.isAvailable)
        self.isa = isa
    }

    /// Whether blocks of a type can be made.
    public static func canEncode(typeID: UInt32) -> Bool { q3_type_writable(typeID) }

    /// Whether blocks of a type can be read.
    public static func canDecode(typeID: UInt32) -> Bool { q3_type_readable(typeID) }

    /// Makes blocks of finite values, whole blocks of them, with the least squared error that a search finds; `blocks` has
    /// their exact size.
    @unsafe public func encode(
        _ values: UnsafeBufferPointer<Float>, typeID: UInt32, into blocks: UnsafeMutableRawBufferPointer
    ) {
        precondition(Self.canEncode(typeID: typeID))
        guard let source = values.baseAddress, let target = blocks.baseAddress else { return }
        unsafe isa.kernels.encode(typeID, source, values.count, target)
    }

    /// Reads whole blocks into `values`, which has their exact count.
    @unsafe public func decode(
        _ blocks: UnsafeRawBufferPointer, typeID: UInt32, into values: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(Self.canDecode(typeID: typeID))
        guard let source = blocks.baseAddress, let target = values.baseAddress else { return }
        unsafe isa.kernels.decode(typeID, source, values.count, target)
    }

    /// How far `values` lie from `others`, of which there are as many.
    @unsafe public func difference(
        _ values: UnsafeBufferPointer<Float>, _ others: UnsafeBufferPointer<Float>
    ) -> WeightDifference {
        precondition(values.count == others.count)
        guard let a = values.baseAddress, let b = others.baseAddress else { return WeightDifference() }
        let difference = unsafe isa.kernels.compare(a, b, values.count)
        return WeightDifference(
            count: values.count, squares: difference.squares, power: difference.power, largest: difference.largest)
    }
}

/// What separates some values from others.
public struct WeightDifference: Sendable, Equatable {
    public private(set) var count = 0
    /// Σ (value - other)²
    public private(set) var squares = 0.0
    /// Σ value²
    public private(set) var power = 0.0
    /// max |value - other|
    public private(set) var largest: Float = 0

    public init() {}

    init(count: Int, squares: Double, power: Double, largest: Float) {
        self.count = count
        self.squares = squares
        self.power = power
        self.largest = largest
    }

    /// The root of the mean squared difference.
    public var rmse: Double { count == 0 ? 0 : (squares / Double(count)).squareRoot() }
    /// That, divided by the root of the mean squared value.
    public var relative: Double { power == 0 ? 0 : (squares / power).squareRoot() }
    /// Whether all values were numbers within reach.
    public var isFinite: Bool { squares.isFinite && power.isFinite }

    public static func += (total: inout WeightDifference, other: WeightDifference) {
        total.count += other.count
        total.squares += other.squares
        total.power += other.power
        total.largest = max(total.largest, other.largest)
    }
}

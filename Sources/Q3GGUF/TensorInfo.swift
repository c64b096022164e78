// One row of a file's tensor table: name, shape, type and where the bytes are.
import Q3System

/// Where a tensor of a GGUF file is and how it is laid out.
public struct TensorInfo: Sendable, Equatable {
    /// At most 63 bytes, such as "blk.0.attn_q.weight".
    public let name: String
    /// Extents with the fastest axis first (ggml's `ne`), one to four of them: a matrix of R rows of C values is
    /// [C, R].
    public let shape: [Int]
    /// How the values are stored.
    public let type: TensorType
    /// First byte, counted from the start of the file; of a split model, from the start of the part that it is in.
    public let offset: Int
    /// Which part of a split model it is in, from 0.
    var part = 0
    /// Bytes of all rows.
    public let byteCount: Int
    /// Product of all extents.
    public let elementCount: Int
    /// Product of all extents but the first.
    public let rowCount: Int
    /// Bytes from one row to the next; rows have no padding.
    public let rowByteCount: Int

    /// The most axes that the format allows.
    static let axisLimit = 4
    /// The longest name in bytes; ggml keeps names in 64 bytes with a closing zero.
    static let nameLimit = 63

    /// Checks the shape and computes the sizes. `offset` counts from the start of the file; `position` is the byte
    /// that a complaint points at.
    init(name: String, shape: [UInt64], type: TensorType, offset: Int, position: Int) throws(GGUFError) {
        guard 1...Self.axisLimit ~= shape.count, !shape.contains(0) else {
            throw .badShape(tensor: name, at: position, got: shape)
        }
        var extents: [Int] = []
        var elementCount = 1
        for extent in shape {
            guard let extent = Int(exactly: extent), let product = elementCount.checkedMultiplied(by: extent) else {
                throw .shapeOverflow(tensor: name, at: position, got: shape)
            }
            extents.append(extent)
            elementCount = product
        }
        guard extents[0].isMultiple(of: type.itemsPerBlock) else {
            throw .rowNotBlockAligned(tensor: name, at: position, type: type, rowLength: extents[0])
        }
        let blockCount = elementCount / type.itemsPerBlock
        guard let byteCount = blockCount.checkedMultiplied(by: type.bytesPerBlock) else {
            throw .shapeOverflow(tensor: name, at: position, got: shape)
        }
        let rowCount = elementCount / extents[0]
        self.name = name
        self.shape = extents
        self.type = type
        self.offset = offset
        self.byteCount = byteCount
        self.elementCount = elementCount
        self.rowCount = rowCount
        self.rowByteCount = byteCount / rowCount
    }
}

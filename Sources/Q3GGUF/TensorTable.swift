// Reads the table of tensors and gives each its checked place in the file.
import Q3System

struct TensorTable {
    private(set) var tensors: [TensorInfo] = []
    private(set) var indexOfName: [ExactText: Int] = [:]

    /// Reads `count` rows from the front of `cursor`. The data starts at the next multiple of `alignment` after them.
    ///
    /// Data offsets must be the running padded sum, as llama.cpp demands too: so there is no gap, no overlap and no
    /// other order. Padding after the last tensor may be missing.
    init(reading cursor: inout ByteCursor, count: Int, alignment: Int) throws(GGUFError) {
        var rows: [Row] = []
        for index in 0..<count {
            let row = try Row(reading: &cursor, index: index)
            guard indexOfName.updateValue(index, forKey: ExactText(row.name)) == nil else {
                throw .duplicateTensor(row.name, at: row.position)
            }
            rows.append(row)
        }
        var place = DataPlace(after: cursor.offset, alignment: alignment)
        for row in rows {
            guard row.dataOffset == place.relative else {
                throw .badOffset(tensor: row.name, at: row.position, expected: place.relative, got: row.dataOffset)
            }
            let tensor = try place.put(name: row.name, shape: row.shape, type: row.type, position: row.position)
            guard tensor.offset <= cursor.file.byteCount - tensor.byteCount else {
                throw .outOfFile(
                    tensor: row.name, offset: tensor.offset, byteCount: tensor.byteCount,
                    fileByteCount: cursor.file.byteCount)
            }
            tensors.append(tensor)
        }
    }

    /// A row as it stands in the file.
    private struct Row {
        let name: String
        let shape: [UInt64]
        let type: TensorType
        let dataOffset: UInt64
        /// Where the row begins.
        let position: Int

        init(reading cursor: inout ByteCursor, index: Int) throws(GGUFError) {
            position = cursor.offset
            let name = try cursor.name(
                "the name of tensor number \(index + 1)", limit: TensorInfo.nameLimit,
                complaint: GGUFError.badTensorName)
            let axisOffset = cursor.offset
            let axisCount: UInt32 = try cursor.scalar("the number of axes of \(name)")
            guard axisCount <= TensorInfo.axisLimit else {
                throw .tooMany(
                    what: "the number of axes of \(name)", at: axisOffset, got: UInt64(axisCount),
                    limit: TensorInfo.axisLimit)
            }
            var shape: [UInt64] = []
            for _ in 0..<axisCount { shape.append(try cursor.scalar("the shape of \(name)")) }
            let typeOffset = cursor.offset
            let id: UInt32 = try cursor.scalar("the type of \(name)")
            guard let type = TensorType(rawValue: id) else {
                throw .unknownTensorType(tensor: name, at: typeOffset, got: id)
            }
            dataOffset = try cursor.scalar("the data offset of \(name)")
            self.name = name
            self.shape = shape
            self.type = type
        }
    }
}

/// Assigns places to tensor data, one after the other and each aligned; reader and writer share this rule.
struct DataPlace {
    private let start: Int?
    private let alignment: Int
    /// Offset of the next tensor, counted from the start of the data.
    private(set) var relative = 0

    /// The data starts at the next multiple of `alignment` at or after `headerEnd`.
    init(after headerEnd: Int, alignment: Int) {
        start = headerEnd.checkedRoundedUp(to: alignment)
        self.alignment = alignment
    }

    /// Places a tensor. `position` is the byte that complaints point at.
    mutating func put(name: String, shape: [UInt64], type: TensorType, position: Int) throws(GGUFError) -> TensorInfo {
        guard let offset = start?.checkedAdding(relative) else {
            throw .shapeOverflow(tensor: name, at: position, got: shape)
        }
        let tensor = try TensorInfo(name: name, shape: shape, type: type, offset: offset, position: position)
        guard let next = relative.checkedAdding(tensor.byteCount)?.checkedRoundedUp(to: alignment) else {
            throw .shapeOverflow(tensor: name, at: position, got: shape)
        }
        relative = next
        return tensor
    }
}

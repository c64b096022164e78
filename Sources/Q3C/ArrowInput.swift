// Arrow arrays of texts as they lie in memory: where the bytes of each row are.
import CQ3

/// A column of texts in the memory of its owner.
@safe struct ArrowTexts {
    /// The texts to be computed: rows without nulls, or the values of the dictionary that rows use.
    let texts: TextList
    /// For each of `texts` the row that gets it first.
    let firstRows: [Int]
    /// For each row the one that has the same text and comes first; -1 for a null.
    let sources: [Int]

    var count: Int { sources.count }
    var nullCount: Int { sources.count { $0 < 0 } }

    /// Reads the structure, no text yet. Throws for other types, and for what no array can be.
    init(schema: UnsafePointer<ArrowSchema>?, array: UnsafePointer<ArrowArray>?) throws(Fault) {
        guard let schema = unsafe schema?.pointee, let array = unsafe array?.pointee else {
            throw .argument("the Arrow schema or array is NULL")
        }
        guard unsafe schema.release != nil, unsafe array.release != nil else {
            throw .argument("the Arrow schema or array was released already")
        }
        let column = try unsafe Column(schema, array)
        if let dictionary = unsafe array.dictionary {
            guard let valueSchema = unsafe schema.dictionary else { throw .argument("the dictionary has no schema") }
            let values = try unsafe Column(valueSchema.pointee, dictionary.pointee)
            let bytes = unsafe try values.texts()
            let index = try column.indices(below: values.count)
            try unsafe self.init(count: column.count, key: index, bytes: bytes)
        } else {
            let bytes = unsafe try column.texts()
            try unsafe self.init(count: column.count, key: { $0 }, bytes: bytes)
        }
    }

    /// Rows with equal keys have the same text.
    private init(count: Int, key: (Int) throws(Fault) -> Int?, bytes: @escaping (Int) -> UnsafeRawBufferPointer?)
        throws(Fault)
    {
        var sources = [Int](repeating: -1, count: count)
        var (firstRows, keys): ([Int], [Int]) = ([], [])
        var firstRow: [Int: Int] = [:]
        for row in 0..<count {
            guard let key = try key(row), unsafe bytes(key) != nil else { continue }
            if let first = firstRow[key] {
                sources[row] = first
            } else {
                firstRow[key] = row
                sources[row] = row
                firstRows.append(row)
                keys.append(key)
            }
        }
        let kept = keys
        unsafe texts = TextList(count: kept.count) { unsafe bytes(kept[$0]) }
        self.firstRows = firstRows
        self.sources = sources
    }
}

/// One array without its dictionary.
@safe private struct Column {
    let format: String
    let count: Int
    private let offset: Int
    private let array: ArrowArray

    init(_ schema: ArrowSchema, _ array: ArrowArray) throws(Fault) {
        guard let format = unsafe schema.format else { throw .argument("the Arrow schema has no format") }
        self.format = unsafe String(cString: format)
        guard let count = unsafe Int(exactly: array.length), let offset = unsafe Int(exactly: array.offset), count >= 0,
            offset >= 0, count <= 1 << 40, offset <= 1 << 40
        else { throw .argument("the Arrow array has an impossible length or offset") }
        self.count = count
        self.offset = offset
        unsafe self.array = array
    }

    private func buffer(_ index: Int) -> UnsafeRawPointer? {
        guard unsafe index < Int(array.n_buffers), let buffers = unsafe array.buffers else { return nil }
        return unsafe buffers[index]
    }

    /// A buffer that must be there unless the array is empty.
    private func required(_ index: Int) throws(Fault) -> UnsafeRawPointer? {
        let found = unsafe buffer(index)
        guard unsafe found != nil || count == 0 else { throw .argument("the Arrow array lacks its buffer \(index)") }
        return unsafe found
    }

    /// Whether a row has a value.
    private var isValid: (Int) -> Bool {
        guard unsafe array.null_count != 0, let bits = unsafe buffer(0) else { return { _ in true } }
        return { [offset] row in
            let bit = offset + row
            return unsafe bits.load(fromByteOffset: bit >> 3, as: UInt8.self) >> UInt8(bit & 7) & 1 == 1
        }
    }

    /// The bytes of each row; nil for nulls.
    func texts() throws(Fault) -> (Int) -> UnsafeRawBufferPointer? {
        switch format {
        case "n": return { _ in nil }
        case "u", "z": return try unsafe texts(Int32.self)
        case "U", "Z": return try unsafe texts(Int64.self)
        case "vu", "vz": return try unsafe views()
        default:
            throw .argument(
                "the Arrow array has the format \"\(format)\", expected texts: string, large_string, string_view, "
                    + "binary, large_binary, or a dictionary of those")
        }
    }

    private func texts<Offset: FixedWidthInteger & BitwiseCopyable>(
        _: Offset.Type
    ) throws(Fault) -> (Int) -> UnsafeRawBufferPointer? {
        let offsets = try unsafe required(1)
        let data = unsafe buffer(2)
        guard let offsets = unsafe offsets else { return { _ in nil } }
        let (isValid, first) = (isValid, offset)
        func at(_ index: Int) -> Int {
            Int(unsafe offsets.loadUnaligned(fromByteOffset: index * MemoryLayout<Offset>.size, as: Offset.self))
        }
        for row in 0..<count where at(first + row) < 0 || at(first + row + 1) < at(first + row) {
            throw .argument("the offsets of the Arrow array decrease at row \(row)")
        }
        guard unsafe data != nil || count == 0 || at(first + count) == at(first) else {
            throw .argument("the Arrow array lacks its buffer 2")
        }
        return { row in
            guard isValid(row) else { return nil }
            let (from, to) = (at(first + row), at(first + row + 1))
            return unsafe UnsafeRawBufferPointer(start: data.map { unsafe $0 + from }, count: to - from)
        }
    }

    /// Views of 16 bytes: a length, then up to 12 bytes of text, or four of it, a buffer and an offset in that.
    private func views() throws(Fault) -> (Int) -> UnsafeRawBufferPointer? {
        let views = try unsafe required(1)
        guard let views = unsafe views else { return { _ in nil } }
        let (isValid, first) = (isValid, offset)
        let bufferCount = unsafe Int(array.n_buffers)
        guard bufferCount >= 3, let sizes = unsafe buffer(bufferCount - 1) ?? (bufferCount == 3 ? views : nil) else {
            throw .argument("the Arrow array of views lacks the sizes of its buffers")
        }
        func field(_ row: Int, _ byte: Int) -> Int {
            Int(unsafe views.loadUnaligned(fromByteOffset: (first + row) * 16 + byte, as: Int32.self))
        }
        for row in 0..<count where isValid(row) {
            let (length, index, from) = (field(row, 0), field(row, 8), field(row, 12))
            guard length >= 0 else { throw .argument("row \(row) of the Arrow array has \(length) bytes") }
            guard length > 12 else { continue }
            guard index >= 0, index < bufferCount - 3, from >= 0,
                unsafe from + length <= sizes.loadUnaligned(fromByteOffset: index * 8, as: Int64.self),
                unsafe buffer(2 + index) != nil
            else { throw .argument("row \(row) of the Arrow array points outside of its buffers") }
        }
        let buffers = unsafe (0..<bufferCount).map { unsafe buffer($0) }
        return { row in
            guard isValid(row) else { return nil }
            let length = field(row, 0)
            guard length > 12 else {
                return unsafe UnsafeRawBufferPointer(start: views + (first + row) * 16 + 4, count: length)
            }
            let data = unsafe buffers[2 + field(row, 8)]
            return unsafe UnsafeRawBufferPointer(start: data.map { unsafe $0 + field(row, 12) }, count: length)
        }
    }

    /// The position in the dictionary of each row; nil for nulls.
    func indices(below valueCount: Int) throws(Fault) -> (Int) throws(Fault) -> Int? {
        switch format {
        case "c": try indices(Int8.self, valueCount)
        case "C": try indices(UInt8.self, valueCount)
        case "s": try indices(Int16.self, valueCount)
        case "S": try indices(UInt16.self, valueCount)
        case "i": try indices(Int32.self, valueCount)
        case "I": try indices(UInt32.self, valueCount)
        case "l": try indices(Int64.self, valueCount)
        case "L": try indices(UInt64.self, valueCount)
        default: throw .argument("the indices of the dictionary have the format \"\(format)\", expected integers")
        }
    }

    private func indices<Index: FixedWidthInteger & BitwiseCopyable>(
        _: Index.Type, _ valueCount: Int
    ) throws(Fault) -> (Int) throws(Fault) -> Int? {
        let (data, isValid, first) = unsafe (try required(1), isValid, offset)
        return { row throws(Fault) in
            guard let data = unsafe data, isValid(row) else { return nil }
            let size = MemoryLayout<Index>.size
            let index = unsafe data.loadUnaligned(fromByteOffset: (first + row) * size, as: Index.self)
            guard let value = Int(exactly: index), 0..<valueCount ~= value else {
                throw .argument("row \(row) of the Arrow array is number \(index) of a dictionary of \(valueCount)")
            }
            return value
        }
    }
}

// Reads the front of a file: magic, version, metadata and tensor table, checking each number before it is used.
//
//     "GGUF"  version u32  tensor count u64  pair count u64
//     pairs:    key string, value type u32, value         string = length u64, bytes
//     tensors:  name string, axis count u32, extents u64 each, type u32, data offset u64
//     padding to the alignment, then the data of all tensors, each padded to the alignment

/// Sizes beyond which a file is taken for damaged. All are far above any real model, and keep a hostile file from
/// making us allocate more than a small multiple of its size.
enum HeaderLimits {
    static let pairCount = 1 << 16
    static let tensorCount = 1 << 16
    static let keyByteCount = 65_535  // the specification's
    /// A string is copied when it is asked for; the longest in use is a tokenizer.json of 11 MB.
    static let stringByteCount = 1 << 24
    static let arrayCount = 1 << 30  // llama.cpp's
    static let alignment = 1 << 20

    /// The most elements of an array; fewer for arrays that are copied when a model is loaded.
    static func arrayCount(of key: String) -> Int {
        switch key {
        case "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.scores": 1 << 20
        case "tokenizer.ggml.merges": 1 << 21
        default: arrayCount
        }
    }
}

/// The checked header of a file.
struct Header {
    let version: UInt32
    let alignment: Int
    let metadata: Metadata
    let tensorTable: TensorTable

    init(of file: MappedFile) throws(GGUFError) {
        var cursor = ByteCursor(file)
        try cursor.readMagic()
        version = try cursor.readVersion()
        let tensorCount = try cursor.count("the number of tensors", limit: HeaderLimits.tensorCount)
        let pairCount = try cursor.count("the number of metadata pairs", limit: HeaderLimits.pairCount)
        metadata = try Metadata(reading: &cursor, count: pairCount)
        alignment = try metadata.alignment()
        tensorTable = try TensorTable(reading: &cursor, count: tensorCount, alignment: alignment)
    }
}

extension ByteCursor {
    fileprivate mutating func readMagic() throws(GGUFError) {
        let prefix = unsafe [UInt8](file.bytes.prefix(64))
        let magic = Array("GGUF".utf8)
        guard prefix.starts(with: magic) || magic.starts(with: prefix) else {
            throw prefix.starts(with: magic.reversed()) ? .bigEndian : .notGGUF(ForeignFormat(prefix: prefix))
        }
        _ = try take(4, "the magic number")
    }

    fileprivate mutating func readVersion() throws(GGUFError) -> UInt32 {
        let version: UInt32 = try scalar("the version")
        guard 2...3 ~= version else {
            throw 1...3 ~= version.byteSwapped ? .bigEndian : .unsupportedVersion(version)
        }
        return version
    }

    /// A count of things, at most `limit`.
    mutating func count(_ what: @autoclosure () -> String, limit: Int) throws(GGUFError) -> Int {
        let start = offset
        let count: UInt64 = try scalar(what())
        guard count <= limit else { throw .tooMany(what: what(), at: start, got: count, limit: limit) }
        return Int(count)
    }

    /// A key or tensor name: UTF-8, not empty, without NUL. `complaint` makes the error from what is wrong and where.
    mutating func name(
        _ what: @autoclosure () -> String, limit: Int, complaint: (GGUFError.TextFault, Int) -> GGUFError
    ) throws(GGUFError) -> String {
        let start = offset
        let range = try string(what())
        // Checked before a string is made of it: a hostile name may be a gigabyte long.
        guard range.count <= limit else { throw complaint(.tooLong(byteCount: range.count, limit: limit), start) }
        guard let text = file.text(in: range) else { throw complaint(.notUTF8, start) }
        if let fault = GGUFError.TextFault(in: text, limit: limit) { throw complaint(fault, start) }
        return text
    }
}

// q3_tokenize and q3_detokenize: texts to token ids and back.
public import CQ3
import Q3Tokenizer

@c @implementation
public func q3_tokenize(
    _ model: OpaquePointer?, _ texts: UnsafePointer<q3_texts>?, _ parsesSpecialTokens: Int32,
    _ ids: UnsafeMutablePointer<Int32>?, _ capacity: Int64, _ idOffsets: UnsafeMutablePointer<Int64>?,
    _ ranges: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let tokenizer = try unsafe openModel(model).tokenizer
        let parsesSpecialTokens = try flag(parsesSpecialTokens, "parses_special_tokens")
        let list = try unsafe TextList(texts, name: "texts")
        guard let idOffsets = unsafe idOffsets else { throw Fault.argument("id_offsets is NULL") }
        var pieces: [TokenPiece] = []
        unsafe idOffsets[0] = 0
        for index in 0..<list.count {
            let text: String
            do throws(Fault) {
                text = try list.text(index)
            } catch {
                throw error.at(index)
            }
            if unsafe ranges == nil {
                pieces += tokenizer.encode(text, parseSpecial: parsesSpecialTokens).lazy.map {
                    TokenPiece(id: $0, range: 0..<0)
                }
            } else {
                pieces += tokenizer.encodeWithOffsets(text, parseSpecial: parsesSpecialTokens)
            }
            unsafe idOffsets[index + 1] = Int64(pieces.count)
        }
        guard pieces.count <= capacity else {
            throw Fault(
                status: q3_status(Q3_BUFFER_TOO_SMALL),
                message: "there are \(pieces.count) tokens, but room for \(capacity)")
        }
        guard let ids = unsafe ids else {
            guard pieces.isEmpty else { throw Fault.argument("ids is NULL") }
            return
        }
        for (index, piece) in pieces.enumerated() {
            unsafe ids[index] = piece.id
            unsafe ranges?[2 * index] = Int64(piece.range.lowerBound)
            unsafe ranges?[2 * index + 1] = Int64(piece.range.upperBound)
        }
    }
}

@c @implementation
public func q3_detokenize(
    _ model: OpaquePointer?, _ ids: UnsafePointer<Int32>?, _ count: Int64, _ skipsSpecialTokens: Int32,
    _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ length: UnsafeMutablePointer<Int>?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let tokenizer = try unsafe openModel(model).tokenizer
        let skipsSpecialTokens = try flag(skipsSpecialTokens, "skips_special_tokens")
        guard count >= 0, unsafe ids != nil || count == 0 else { throw Fault.argument("count is \(count) for ids") }
        let given = unsafe Array(UnsafeBufferPointer(start: ids, count: Int(count)))
        let decoded = try tokenizer.decode(given, skipSpecial: skipsSpecialTokens)
        try unsafe CText(start: text, capacity: capacity).write(decoded.utf8, length: length)
    }
}

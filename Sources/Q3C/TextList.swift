// The texts of a call, wherever their bytes lie, and what became of them.
import CQ3

/// Texts in memory of the caller, which waits while they are read.
@safe struct TextList: @unchecked Sendable {
    let count: Int
    /// The bytes of a text; nil for a null.
    let bytes: (Int) -> UnsafeRawBufferPointer?

    init(count: Int, bytes: @escaping (Int) -> UnsafeRawBufferPointer?) {
        self.count = count
        unsafe self.bytes = bytes
    }

    /// The texts of a C call. Throws for offsets that do not describe any.
    init(_ texts: UnsafePointer<q3_texts>?, name: StaticString) throws(Fault) {
        guard let texts = unsafe texts?.pointee else { throw .argument("\(name) is NULL") }
        let (start, count) = unsafe (texts.bytes, texts.count)
        guard count >= 0, count < 1 << 40 else { throw .argument("\(name).count is \(count)") }
        guard let offsets = unsafe texts.offsets else {
            guard count == 0 else { throw .argument("\(name).offsets is NULL") }
            unsafe self.init(count: 0) { _ in nil }
            return
        }
        guard unsafe offsets[0] >= 0 else { throw .argument("\(name).offsets[0] is \(unsafe offsets[0])") }
        for index in 0..<Int(count) where unsafe offsets[index + 1] < offsets[index] {
            throw .argument("\(name).offsets decrease after \(index)")
        }
        guard unsafe start != nil || offsets[Int(count)] == 0 else { throw .argument("\(name).bytes is NULL") }
        unsafe self.init(count: Int(count)) { index in
            let (from, to) = unsafe (Int(offsets[index]), Int(offsets[index + 1]))
            return unsafe UnsafeRawBufferPointer(start: start.map { unsafe $0 + from }, count: to - from)
        }
    }

    func byteCount(_ index: Int) -> Int { unsafe bytes(index)?.count ?? 0 }

    /// The text at `index`, which is not null.
    func text(_ index: Int) throws(Fault) -> String {
        guard let bytes = unsafe bytes(index) else { return "" }
        let units = unsafe bytes.bindMemory(to: UInt8.self)
        guard let text = unsafe String(validating: units, as: UTF8.self) else {
            throw Fault(status: q3_status(Q3_BAD_TEXT), message: "the text is not UTF-8")
        }
        return text
    }
}

/// What became of the texts of a call: the caller's results, and the first fault.
@safe struct Outcomes {
    private let results: UnsafeMutablePointer<q3_result>?
    private(set) var firstFault: Fault?
    /// The texts that have no result.
    private(set) var failed: [Int] = []

    init(_ results: UnsafeMutablePointer<q3_result>?) { unsafe self.results = results }

    mutating func succeed(_ index: Int, tokenCount: Int, isTruncated: Bool) {
        unsafe results?[index] = q3_result(
            status: q3_status(Q3_OK), token_count: Int32(clamping: tokenCount), is_truncated: isTruncated ? 1 : 0,
            reserved: 0)
    }

    /// Throws the fault if the caller has no results to find it in.
    mutating func fail(_ index: Int, _ fault: Fault, what: String) throws(Fault) {
        let fault = fault.at(index, what: what)
        guard let results = unsafe results else { throw fault }
        unsafe results[index] = q3_result(status: fault.status, token_count: 0, is_truncated: 0, reserved: 0)
        firstFault = firstFault ?? fault
        failed.append(index)
    }
}

// The bytes of a file or a pipe as UTF-8: gzip is decompressed, UTF-16 with a byte order mark is converted, marks are left out.
import Q3System

/// Reads an input from its start to its end.
package final class ByteStream {
    package let name: String
    /// Bytes of a regular file, as they lie on disk; nil for pipes and terminals.
    package let totalByteCount: Int?
    /// Bytes read from the file so far.
    package private(set) var rawByteCount = 0
    /// Bytes of a mark at the start, which are not part of what `read` gives.
    package private(set) var markByteCount = 0

    private let descriptor: CInt
    private var inflater: Inflater?
    private var utf16: UTF16Decoder?
    /// Decoded bytes that were looked at but not taken.
    private var ahead: [UInt8] = []
    private var isStarted: Bool
    private var chunk = [UInt8](repeating: 0, count: 1 << 17)

    /// Opens a file, or takes stdin for a nil path. Without `decodes` the bytes are those of the file.
    package init(path: String?, decodes: Bool = true) throws(InputError) {
        isStarted = !decodes
        name = path ?? "stdin"
        descriptor = path.map { unsafe open($0, O_RDONLY | O_CLOEXEC) } ?? 0
        guard descriptor >= 0 else { throw .cannotOpen(name, code: errno) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .cannotOpen(name, code: errno) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw .directory(name) }
        totalByteCount = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    deinit {
        if descriptor > 0 { close(descriptor) }
    }

    /// Whether offsets in what is read are those in the file.
    package var isPlain: Bool { inflater == nil && utf16 == nil }

    /// Whether a read will not wait for the writer of a pipe.
    package func hasBytesAtHand() -> Bool {
        !ahead.isEmpty || inflater?.needsInput == false || hasRawBytesAtHand
    }

    private var hasRawBytesAtHand: Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&request, 1, 0) > 0
    }

    /// The first bytes, `count` of them if so many can be read without waiting for more, without taking them.
    package func peek(_ count: Int) throws(InputError) -> [UInt8] {
        try start()
        while ahead.count < count, ahead.isEmpty || hasRawBytesAtHand {
            let more = try decoded()
            if more.isEmpty { break }
            ahead += more
        }
        return Array(ahead.prefix(count))
    }

    /// The next bytes, none at the end.
    package func read() throws(InputError) -> [UInt8] {
        try start()
        guard ahead.isEmpty else {
            defer { ahead = [] }
            return ahead
        }
        return try decoded()
    }

    /// Finds out how the bytes are to be decoded.
    private func start() throws(InputError) {
        guard !isStarted else { return }
        isStarted = true
        var head = try raw()
        while !head.isEmpty, head.count < 2 {
            let more = try raw()
            if more.isEmpty { break }
            head += more
        }
        if head.starts(with: [0x1F, 0x8B]) {
            do throws(Inflater.Damage) {
                let inflater = try Inflater()
                inflater.add(head)
                self.inflater = inflater
            } catch {
                throw .damagedGzip(name, reason: error.reason)
            }
            head = try inflated()
        }
        while !head.isEmpty, head.count < 4 {
            let more = try inflater == nil ? raw() : inflated()
            if more.isEmpty { break }
            head += more
        }
        if head.starts(with: [0xEF, 0xBB, 0xBF]) {
            markByteCount = 3
            head.removeFirst(3)
        } else if head.starts(with: [0xFF, 0xFE, 0, 0]) {
            throw .foreign(
                name, format: "UTF-32 text", remedy: "convert it to UTF-8 first, as with iconv -f UTF-32 -t UTF-8")
        } else if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
            var decoder = UTF16Decoder(isBigEndian: head[0] == 0xFE)
            head = decoder.utf8(of: head.dropFirst(2))
            utf16 = decoder
        }
        ahead = head
    }

    private func decoded() throws(InputError) -> [UInt8] {
        while true {
            let bytes = try inflater == nil ? raw() : inflated()
            guard utf16 != nil else { return bytes }
            let text = bytes.isEmpty ? utf16?.finish() ?? [] : utf16?.utf8(of: bytes[...]) ?? []
            if bytes.isEmpty || !text.isEmpty { return text }
        }
    }

    private func inflated() throws(InputError) -> [UInt8] {
        guard let inflater else { return [] }
        do throws(Inflater.Damage) {
            while true {
                let bytes = try inflater.read()
                if !bytes.isEmpty { return bytes }
                let more: [UInt8]
                do throws(InputError) { more = try raw() } catch { throw Inflater.Damage(reason: "it cannot be read") }
                if more.isEmpty {
                    try inflater.finish()
                    return []
                }
                inflater.add(more)
            }
        } catch {
            throw .damagedGzip(name, reason: error.reason)
        }
    }

    private func raw() throws(InputError) -> [UInt8] {
        var count: Int
        repeat {
            count = unsafe chunk.withUnsafeMutableBytes { unsafe readBytes(descriptor, $0) }
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw .cannotRead(name, code: errno) }
        rawByteCount += count
        return Array(chunk[..<count])
    }
}

/// The system's `read`, which the method's name hides in the class.
private func readBytes(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    unsafe read(descriptor, buffer.baseAddress, buffer.count)
}

/// UTF-16 to UTF-8, in pieces.
private struct UTF16Decoder {
    let isBigEndian: Bool
    /// The first byte of a unit whose second one has not come.
    private var half: UInt8?
    /// The first half of a surrogate pair.
    private var high: UInt16?

    init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

    mutating func utf8(of bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for byte in bytes {
            guard let first = half else {
                half = byte
                continue
            }
            half = nil
            let unit = isBigEndian ? UInt16(first) << 8 | UInt16(byte) : UInt16(byte) << 8 | UInt16(first)
            if let high {
                self.high = nil
                if 0xDC00...0xDFFF ~= unit {
                    append(0x10000 + (UInt32(high & 0x3FF) << 10 | UInt32(unit & 0x3FF)), to: &text)
                    continue
                }
                append(UInt32(high), to: &text)
            }
            if 0xD800...0xDBFF ~= unit { high = unit } else { append(UInt32(unit), to: &text) }
        }
        return text
    }

    /// What is left at the end: half a pair or half a unit, neither of which is a character.
    mutating func finish() -> [UInt8] {
        var text: [UInt8] = []
        if let high { append(UInt32(high), to: &text) }
        if half != nil { text.append(0xFF) }
        (high, half) = (nil, nil)
        return text
    }

    /// A lone surrogate becomes three bytes that are not UTF-8, so that its record is rejected.
    private func append(_ value: UInt32, to text: inout [UInt8]) {
        switch value {
        case 0..<0x80: text.append(UInt8(value))
        case 0x80..<0x800: text += [0xC0 | UInt8(value >> 6), 0x80 | UInt8(value & 0x3F)]
        case 0x800..<0x10000:
            text += [0xE0 | UInt8(value >> 12), 0x80 | UInt8(value >> 6 & 0x3F), 0x80 | UInt8(value & 0x3F)]
        default:
            text += [
                0xF0 | UInt8(value >> 18), 0x80 | UInt8(value >> 12 & 0x3F), 0x80 | UInt8(value >> 6 & 0x3F),
                0x80 | UInt8(value & 0x3F),
            ]
        }
    }
}

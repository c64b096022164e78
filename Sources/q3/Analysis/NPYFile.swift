// Reads a matrix from NumPy's .npy format.
import Q3Analysis
import Q3Embedding
import Q3Input
import Q3Linear

/// Rows of an .npy file of two dimensions, in f16, f32 or f64.
enum NPYFile {
    private enum Element: String {
        case half = "<f2"
        case single = "<f4"
        case double = "<f8"

        var byteCount: Int {
            switch self {
            case .half: 2
            case .single: 4
            case .double: 8
            }
        }

        func value(_ bytes: ArraySlice<UInt8>) -> Float {
            let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return switch self {
            case .half: HalfPrecision.value(of: UInt16(truncatingIfNeeded: bits))
            case .single: Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            case .double: Float(Double(bitPattern: bits))
            }
        }
    }

    private struct Header {
        let element: Element
        let rowCount: Int
        let columnCount: Int
    }

    static func isName(_ path: String) -> Bool { path.lowercased().hasSuffix(".npy") }

    /// The rows, each cut to its first `dimensions` values where a number is given. Memory for them and for `need` is asked for
    /// first. Throws `Failure`, and `LinearError.outOfMemory`.
    static func read(
        _ path: String, dimensions: Int? = nil, need: (_ rows: Int, _ dimensions: Int) -> Int = { _, _ in 0 }
    ) throws -> VectorMatrix {
        let stream = try ByteStream(path: path, decodes: false)
        var ahead: [UInt8] = []
        func take(_ count: Int) throws -> [UInt8] {
            while ahead.count < count {
                let more = try stream.read()
                guard !more.isEmpty else {
                    throw Failure(.badData, "\(path) ends early; copy or make it again")
                }
                ahead += more
            }
            defer { ahead.removeFirst(count) }
            return Array(ahead.prefix(count))
        }
        let lead = try take(8)
        guard Array(lead.prefix(6)) == [0x93] + Array("NUMPY".utf8), 1...3 ~= lead[6] else {
            throw Failure(.badData, "\(path) is not an .npy file of NumPy")
        }
        let size = try take(lead[6] == 1 ? 2 : 4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard size <= 1 << 20 else { throw Failure(.badData, "\(path): a header of \(size) bytes is damage") }
        let header = try self.header(String(decoding: try take(size), as: UTF8.self), path)
        let rowBytes = header.columnCount * header.element.byteCount
        if let total = stream.totalByteCount {
            let (needed, overflow) = header.rowCount.multipliedReportingOverflow(by: rowBytes)
            guard !overflow, total - size - 8 >= needed else {
                throw Failure(
                    .badData,
                    "\(path) says that it has \(header.rowCount) rows of \(header.columnCount) values, and is too short "
                        + "for them; copy or make it again")
            }
        }
        let kept = dimensions ?? header.columnCount
        guard 1...header.columnCount ~= kept else {
            throw Failure(.usage, "--dimensions \(kept): \(path) has \(header.columnCount) values in a row")
        }
        // So many rows no file has; a header that says so comes through a pipe, whose length nobody knows.
        guard header.rowCount < 1 << 40 else { throw LinearError.outOfMemory(byteCount: .max) }
        let rows = AnalysisMemory.vectors(rows: header.rowCount, dimensions: kept)
        try MemoryNeed.check(rows + need(header.rowCount, kept))
        var builder = try VectorMatrixBuilder(dimensions: kept, capacity: header.rowCount)
        // Many rows at a time: what is left of a read is moved once for all of them.
        let group = max(1, (4 << 20) / rowBytes)
        for first in stride(from: 0, to: header.rowCount, by: group) {
            let bytes = try take(min(group, header.rowCount - first) * rowBytes)
            for start in stride(from: 0, to: bytes.count, by: rowBytes) {
                try append(bytes, at: start, kept, header.element, to: &builder)
            }
        }
        return builder.finish()
    }

    private static func append(
        _ bytes: [UInt8], at start: Int, _ count: Int, _ element: Element, to builder: inout VectorMatrixBuilder
    ) throws {
        if element == .single {
            let row = unsafe bytes.withUnsafeBytes { bytes in
                (0..<count).map {
                    let bits = unsafe bytes.loadUnaligned(fromByteOffset: start + 4 * $0, as: UInt32.self)
                    return Float(bitPattern: UInt32(littleEndian: bits))
                }
            }
            return try builder.append(row)
        }
        let size = element.byteCount
        try builder.append((0..<count).map { element.value(bytes[(start + $0 * size)..<(start + ($0 + 1) * size)]) })
    }

    private static func header(_ text: String, _ path: String) throws -> Header {
        func field(_ name: String) -> Substring? {
            guard let range = text.firstRange(of: "'\(name)':") else { return nil }
            return text[range.upperBound...].drop { $0 == " " }
        }
        guard let descriptor = field("descr"), let order = field("fortran_order"), let shape = field("shape") else {
            throw Failure(.badData, "\(path) has no .npy header that can be read")
        }
        let type = descriptor.dropFirst().prefix { $0 != "'" && $0 != "\"" }
        guard let element = Element(rawValue: String(type)) else {
            throw Failure(
                .badData,
                "\(path) holds values of the type \(type); save float32, as with numpy.save(path, array.astype('<f4'))")
        }
        guard order.hasPrefix("False") else {
            throw Failure(.badData, "\(path) is stored by columns; save numpy.ascontiguousarray(array)")
        }
        let extents = shape.dropFirst().prefix { $0 != ")" }.split(separator: ",").map {
            Int($0.filter { !$0.isWhitespace })
        }
        guard extents.count == 2, let rows = extents[0], let columns = extents[1], rows >= 0, columns > 0,
            columns <= VectorMatrix.dimensionLimit
        else {
            throw Failure(
                .badData, "\(path) has the shape (\(shape.dropFirst().prefix { $0 != ")" })); expected (rows, values)")
        }
        return Header(element: element, rowCount: rows, columnCount: columns)
    }
}

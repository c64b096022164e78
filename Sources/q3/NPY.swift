// The header of NumPy's .npy format, always 128 bytes so that it can be replaced when the number of rows is known.

enum NPY {
    static let headerByteCount = 128

    /// The header of a matrix in row-major order. `type` is NumPy's, such as "<f4".
    static func header(type: String, rowCount: Int, columnCount: Int) -> [UInt8] {
        let dictionary = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(rowCount), \(columnCount)), }"
        // Magic, version 1.0, and the length of what follows these ten bytes.
        let lead: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(headerByteCount - 10), 0]
        let padding = repeatElement(UInt8(ascii: " "), count: headerByteCount - lead.count - dictionary.utf8.count - 1)
        return lead + Array(dictionary.utf8) + padding + [UInt8(ascii: "\n")]
    }
}

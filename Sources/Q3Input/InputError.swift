// What keeps an input from being read.

package enum InputError: Error, Equatable {
    case cannotOpen(_ name: String, code: CInt)
    case directory(_ name: String)
    case cannotRead(_ name: String, code: CInt)
    /// A file in a format that holds no texts that q3 reads, and what to do with it.
    case foreign(_ name: String, format: String, remedy: String)
    /// gzip data that is damaged or ends early.
    case damagedGzip(_ name: String, reason: String)
    /// A table without the column that the texts are in.
    case missingColumn(_ name: String, column: String, available: [String])
    /// A folder with no file that fits.
    case noFiles(_ name: String, pattern: String)
    /// A folder with a name that is not UTF-8, repaired to be shown.
    case badName(_ folder: String, name: String)
    /// Two columns of one name, or a first row that names none.
    case badHeader(_ name: String, reason: String)
}

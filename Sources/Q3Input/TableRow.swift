// A row of a table to its cells, as in RFC 4180.

enum TableRow {
    /// The cells of a row. Quotes around a cell are left out, and two quotes in it are one.
    static func cells(of row: String, delimiter: UInt8) throws(BadRecord) -> [String] {
        var cells: [String] = []
        var cell: [UInt8] = []
        var state = CellState.start
        for byte in row.utf8 {
            let next = state.after(byte, delimiter: delimiter)
            switch (state, next) {
            case (.start, .quoted), (.quoted, .quote): break
            case (.quote, .plain):
                // A carriage return before a line feed was taken with it; one here is content.
                throw BadRecord(
                    message: "cell \(cells.count + 1) continues after its closing quote; a quote in a quoted cell is "
                        + "written twice")
            case (.start, .start), (.plain, .start), (.quote, .start):
                cells.append(String(decoding: cell, as: UTF8.self))
                cell = []
            default: cell.append(byte)
            }
            state = next
        }
        guard state != .quoted else { throw BadRecord(message: "a quoted cell begins here and does not end") }
        cells.append(String(decoding: cell, as: UTF8.self))
        return cells
    }
}

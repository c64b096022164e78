// Rows of numbers under fixed column heads, printed as they come.
import Q3System

struct Table {
    /// Titles and widths; a negative width aligns left. A longer cell pushes its neighbours aside.
    let columns: [(title: String, width: Int)]

    var header: String { line(columns.map(\.title)) }

    func line(_ cells: [String]) -> String {
        let padded = zip(columns, cells).map { column, cell in
            let padding = String(repeating: " ", count: max(0, abs(column.width) - cell.count))
            return column.width < 0 ? cell + padding : padding + cell
        }
        let line = padded.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}

extension Double {
    /// With exactly so many digits after the point.
    func fixed(_ digits: Int) -> String { DecimalText.fixed(self, digits) }
}

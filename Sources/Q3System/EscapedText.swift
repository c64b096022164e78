// Makes strings from files safe to print on a terminal.

extension String {
    /// The first 256 characters, with control and formatting characters (escape sequences, line ends, writing
    /// direction overrides) written as `\u{..}`.
    package var escapedForTerminal: String {
        let limit = 256
        guard let end = unicodeScalars.index(startIndex, offsetBy: limit, limitedBy: endIndex), end < endIndex else {
            return withControlsEscaped
        }
        return String(self[..<end]).withControlsEscaped + "…"
    }

    /// The whole text with control and formatting characters written as `\u{..}`: one line, whatever it holds.
    package var withControlsEscaped: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

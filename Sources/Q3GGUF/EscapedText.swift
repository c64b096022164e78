// Makes strings from files safe to print on a terminal.

extension String {
    /// The first 256 characters, with control and formatting characters (escape sequences, line ends, writing
    /// direction overrides) written as `\u{..}`.
    package var escapedForTerminal: String {
        let limit = 256
        var result = ""
        for (index, scalar) in unicodeScalars.enumerated() {
            if index == limit { return result + "…" }
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

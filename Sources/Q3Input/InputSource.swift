// Where texts come from: arguments, a file, or whatever is piped in.

package enum InputSource {
    case arguments([String])
    /// A text per line; stdin for a nil path.
    case lines(path: String?)
    /// A JSON object per line.
    case jsonLines(path: String)

    package var path: String? {
        switch self {
        case .arguments: nil
        case .lines(let path): path
        case .jsonLines(let path): path
        }
    }

    package var isArguments: Bool {
        if case .arguments = self { true } else { false }
    }

    package var isJSON: Bool {
        if case .jsonLines = self { true } else { false }
    }
}

// The variables that a process was started with.
import Q3System

/// Variables of the process.
struct Environment {
    let values: [String: String]

    static var current: Environment {
        var values: [String: String] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            // A value that is not UTF-8 would have to be repaired, and be another one.
            if let text = unsafe String(validatingCString: entry),
                let equals = text.utf8.firstIndex(of: UInt8(ascii: "="))
            {
                values[String(text[..<equals])] = String(text[text.utf8.index(after: equals)...])
            }
            unsafe next += 1
        }
        return Environment(values: values)
    }

    /// An empty variable is the same as none.
    func text(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    func number(_ name: String) throws -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text) else { throw Failure(.usage, "\(name) is \"\(text)\", but must be a number") }
        return number
    }

    func flag(_ name: String) throws -> Bool? {
        switch text(name)?.lowercased() {
        case nil: nil
        case "true", "1": true
        case "false", "0": false
        case let text?: throw Failure(.usage, "\(name) is \"\(text)\", but must be true or false")
        }
    }
}

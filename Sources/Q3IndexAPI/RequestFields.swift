// Reads the fields of a request by name and type.

/// What is wrong with a request, in words for its sender.
package struct RequestFault: Error, Equatable, CustomStringConvertible {
    /// The field that is wrong; nil where it is the whole.
    package let field: String?
    package let message: String

    package init(_ field: String?, _ message: String) {
        self.field = field
        self.message = message
    }

    package var description: String { message }
}

/// The members of an object, of which none is unknown: a field that is misspelt would otherwise be ignored.
struct RequestFields {
    private let members: [String: AnyJSON]

    init(_ value: AnyJSON, known: [String]) throws(RequestFault) {
        guard case .object(let members) = value else { throw RequestFault(nil, "expected a JSON object") }
        if let unknown = members.keys.sorted().first(where: { !known.contains($0) }) {
            throw RequestFault(
                unknown, "there is no field \"\(unknown.prefix(100))\"; there are \(known.joined(separator: ", "))")
        }
        self.members = members
    }

    /// A field's value; `null` is the same as leaving it out.
    private func value(_ name: String) -> AnyJSON? {
        let value = members[name]
        return value == .null ? nil : value
    }

    func text(_ name: String) throws(RequestFault) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.text else { throw RequestFault(name, "\"\(name)\" must be a string") }
        return text
    }

    func whole(_ name: String, in range: ClosedRange<Int>) throws(RequestFault) -> Int? {
        guard let value = value(name) else { return nil }
        guard let number = value.whole, range.contains(number) else {
            let bounds =
                range.upperBound == .max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw RequestFault(name, "\"\(name)\" must be a whole number, \(bounds)")
        }
        return number
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(RequestFault) -> Double? {
        guard let value = value(name) else { return nil }
        guard let number = value.number, range.contains(number) else {
            throw RequestFault(name, "\"\(name)\" must be a number, \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func flag(_ name: String) throws(RequestFault) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .bool(let flag) = value else { throw RequestFault(name, "\"\(name)\" must be true or false") }
        return flag
    }

    func texts(_ name: String, limit: Int) throws(RequestFault) -> [String]? {
        guard let value = value(name) else { return nil }
        guard let list = value.list, list.count <= limit else {
            throw RequestFault(name, "\"\(name)\" must be a list of at most \(limit) strings")
        }
        var texts: [String] = []
        for (index, value) in list.enumerated() {
            guard let text = value.text else { throw RequestFault(name, "\"\(name)[\(index)]\" must be a string") }
            texts.append(text)
        }
        return texts
    }
}

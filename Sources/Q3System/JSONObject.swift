// A JSON object under construction, whose fields keep their order.

package struct JSONObject: CustomStringConvertible {
    private var fields: [String] = []

    package init() {}

    /// A number, or another object: what describes itself as JSON.
    package mutating func add(_ key: String, _ value: some CustomStringConvertible) {
        fields.append("\(JSONText.quoted(key)):\(value)")
    }

    package mutating func add(_ key: String, quoted text: String) {
        add(key, JSONText.quoted(text))
    }

    package mutating func add(_ key: String, list: [JSONObject]) {
        add(key, "[\(list.map(\.description).joined(separator: ","))]")
    }

    package var description: String { "{\(fields.joined(separator: ","))}" }
}

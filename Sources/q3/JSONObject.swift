// A JSON object under construction, whose fields keep their order.

struct JSONObject: CustomStringConvertible {
    private var fields: [String] = []

    /// A number, or another object: what describes itself as JSON.
    mutating func add(_ key: String, _ value: some CustomStringConvertible) {
        fields.append("\(JSONText.quoted(key)):\(value)")
    }

    mutating func add(_ key: String, quoted text: String) {
        add(key, JSONText.quoted(text))
    }

    mutating func add(_ key: String, list: [JSONObject]) {
        add(key, "[\(list.map(\.description).joined(separator: ","))]")
    }

    var description: String { "{\(fields.joined(separator: ","))}" }
}

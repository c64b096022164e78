// NAME=PATH, as options give what requests call by a name.

struct NamedPath {
    let name: String
    let path: String

    /// The name and the path in NAME=PATH; a path alone has the name of its last part without `ending`.
    init(_ text: String, ending: String) {
        if let equals = text.firstIndex(of: "="), !text[..<equals].contains("/"), equals > text.startIndex {
            name = String(text[..<equals])
            path = String(text[text.index(after: equals)...])
        } else {
            name = Self.name(of: text, ending: ending)
            path = text
        }
    }

    /// The last part of a path, without `ending` in small or capital letters; a name that is nothing else keeps it.
    static func name(of path: String, ending: String) -> String {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return file.lowercased().hasSuffix(ending) && file.count > ending.count
            ? String(file.dropLast(ending.count)) : file
    }
}

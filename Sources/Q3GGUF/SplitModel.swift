// Models in several files, "name-00001-of-00003.gguf" and so on, as llama.cpp's gguf-split writes them.

/// Which part of a model a file is, by its metadata.
struct SplitPlace {
    /// From 0.
    let number: Int
    let count: UInt16
    /// Tensors of all parts, nil if the file does not say.
    let tensorCount: Int?
}

extension Metadata {
    /// Nil for a model in one file.
    func splitPlace() throws(GGUFError) -> SplitPlace? {
        func number(_ key: String) throws(GGUFError) -> UInt16? {
            switch value(key) {
            case nil: nil
            case .uint16(let number): number
            default: throw wrongType(key, expected: ValueType.uint16.name)
            }
        }
        guard let count = try number("split.count"), count > 1 else { return nil }
        guard let place = try number("split.no") else { throw .missingKey("split.no") }
        let tensorCount: Int? = if case .int32(let count) = value("split.tensors.count") { Int(count) } else { nil }
        return SplitPlace(number: Int(place), count: count, tensorCount: tensorCount)
    }
}

enum SplitModel {
    /// The parts of the model that `file` belongs to, in the order of their numbers; the file alone if it is not split.
    /// All of them lie in one folder, under one name.
    static func parts(
        from file: MappedFile, _ header: Header, copying: Bool
    ) throws(GGUFError) -> [(file: MappedFile, header: Header)] {
        guard let place = try header.metadata.splitPlace() else { return [(file, header)] }
        let ending = ending(place.number, of: place.count)
        guard file.path.hasSuffix(ending) else { throw .badPart(path: file.path, .name(expected: ending)) }
        let stem = String(file.path.dropLast(ending.count))
        var parts: [(file: MappedFile, header: Header)] = []
        for number in 0..<Int(place.count) {
            if number == place.number {
                parts.append((file, header))
                continue
            }
            let path = stem + self.ending(number, of: place.count)
            let part = try open(path, copying: copying)
            let other = try part.header.metadata.splitPlace()
            guard other?.number == number, other?.count == place.count else { throw .badPart(path: path, .place) }
            parts.append(part)
        }
        let tensorCount = parts.reduce(0) { $0 + $1.header.tensorTable.tensors.count }
        if let expected = place.tensorCount, expected != tensorCount {
            throw .badPart(path: file.path, .tensorCount(tensorCount, expected: expected))
        }
        return parts
    }

    /// Names the part in errors that do not.
    private static func open(
        _ path: String, copying: Bool
    ) throws(GGUFError) -> (file: MappedFile, header: Header) {
        let file: MappedFile
        do {
            file = try MappedFile(path: path, copying: copying)
        } catch .cannotOpen(_, let code) {
            throw .badPart(path: path, .missing(code: code))
        }
        do {
            return (file, try Header(of: file))
        } catch {
            throw .badPart(path: path, .content("\(error)"))
        }
    }

    private static func ending(_ number: Int, of count: UInt16) -> String {
        func padded(_ number: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        }
        return "-\(padded(number + 1))-of-\(padded(Int(count))).gguf"
    }
}

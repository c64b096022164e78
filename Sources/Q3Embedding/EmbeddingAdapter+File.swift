// The file of an adapter: GGUF, read with every check that a model's file gets.
public import Q3GGUF
import Q3Model

extension EmbeddingAdapter {
    private enum Key {
        static let type = "general.type"
        static let typeName = "adapter"
        static let kind = "adapter.type"
        static let kindName = "q3-vectors"
        static let version = "adapter.version"
        static let model = "adapter.model_fingerprint"
        static let scope = "adapter.scope"
        static let instruction = "adapter.instruction"
        static let note = "adapter.note."
        static let down = "adapter.a"
        static let up = "adapter.b"
    }

    /// Opens the file of an adapter for the model that it was made for.
    ///
    /// Throws `GGUFError` for a file that cannot be read, `EmbeddingError.badAdapter` for one that is not an adapter, and
    /// `otherModel` where it was made for another model. Reads the whole model once, for its fingerprint.
    public init(path: String, for embedder: Embedder) throws {
        try self.init(path: path)
        try check(Fingerprint(of: embedder.model), path: path)
    }

    /// Opens the file of an adapter without a look at the model, which `check` does.
    public init(path: String) throws { self = try Self.read(path) }

    private static func read(_ path: String) throws -> EmbeddingAdapter {
        let file = try GGUFFile(path: path, copying: true)
        func fault(_ what: String) -> EmbeddingError { .badAdapter(path: path, fault: what) }
        let metadata = file.metadata
        guard try metadata.optionalString(Key.type) == Key.typeName,
            try metadata.optionalString(Key.kind) == Key.kindName
        else { throw fault("it is another kind of GGUF file; 'q3 tune adapter' makes adapters") }
        guard try metadata.uint32(Key.version) == 1 else { throw fault("it is of a newer q3; update q3") }
        guard let model = Fingerprint(try metadata.string(Key.model)) else {
            throw fault("\(Key.model) is not a fingerprint")
        }
        guard let scope = Scope(rawValue: try metadata.string(Key.scope)) else {
            throw fault("\(Key.scope) is unknown")
        }
        guard let down = file.tensor(named: Key.down), let up = file.tensor(named: Key.up), down.shape.count == 2,
            up.shape.count == 2, down.type == .f32, up.type == .f32
        else { throw fault("it has no matrices \(Key.down) and \(Key.up) in F32") }
        let (dimensions, rank) = (down.shape[0], down.shape[1])
        guard up.shape == [rank, dimensions], dimensions <= 1 << 16, rank <= rankLimit else {
            throw fault("its matrices have the shapes \(down.shape) and \(up.shape)")
        }
        var notes: [String: String] = [:]
        for key in metadata.keys where key.hasPrefix(Key.note) {
            notes[String(key.dropFirst(Key.note.count))] = try metadata.optionalString(key)
        }
        let instruction = try metadata.optionalString(Key.instruction)
        let columns = values(up, of: file)
        let rows = (0..<rank * dimensions).map { columns[$0 % dimensions * rank + $0 / dimensions] }
        do throws(EmbeddingError) {
            return try EmbeddingAdapter(
                model: model, dimensions: dimensions, rank: rank, scope: scope, instruction: instruction, notes: notes,
                down: values(down, of: file), up: rows)
        } catch {
            guard case .badAdapter(_, let what) = error else { throw error }
            throw fault(what)
        }
    }

    private static func values(_ tensor: TensorInfo, of file: GGUFFile) -> [Float] {
        file.withBytes(of: tensor) { bytes in
            (0..<tensor.elementCount).map { unsafe bytes.unsafeLoadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
        }
    }

    /// Throws `EmbeddingError.otherModel` unless it was made for the model of that fingerprint. `path` names it in the message.
    public func check(_ fingerprint: Fingerprint, path: String = "the adapter") throws(EmbeddingError) {
        guard model == fingerprint else {
            throw .otherModel(adapter: path, expected: "\(model)", got: "\(fingerprint)")
        }
    }

    /// Writes the file beside `path` and gives it that name when it is whole. Throws `GGUFError.cannotWrite`, and what is
    /// wrong with the name of a note.
    public func write(to path: String) throws(GGUFError) {
        var writer = GGUFWriter()
        writer.set(Key.type, to: .string(Key.typeName))
        writer.set(Key.kind, to: .string(Key.kindName))
        writer.set(Key.version, to: .uint32(1))
        writer.set(Key.model, to: .string("\(model)"))
        writer.set(Key.scope, to: .string(scope.rawValue))
        if let instruction { writer.set(Key.instruction, to: .string(instruction)) }
        for (name, value) in notes.sorted(by: { $0.key < $1.key }) { writer.set(Key.note + name, to: .string(value)) }
        let columns = (0..<rank * dimensions).map { up[$0 % rank * dimensions + $0 / rank] }
        for (name, values, shape) in [(Key.down, down, [dimensions, rank]), (Key.up, columns, [rank, dimensions])] {
            let bytes = unsafe values.withUnsafeBytes { unsafe [UInt8]($0) }
            writer.addTensor(name, shape: shape, type: .f32, bytes: bytes)
        }
        try writer.write(to: path)
    }
}

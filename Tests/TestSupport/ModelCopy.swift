// Copies of fixture models with something changed, to see what the change does.
public import Q3GGUF

/// The content of a fixture, to be changed and written as a file of its own.
public struct ModelCopy {
    public struct Tensor {
        public var name: String
        /// The fastest axis first.
        public var shape: [Int]
        public var type: TensorType
        public var bytes: [UInt8]

        public init(name: String, shape: [Int], type: TensorType, bytes: [UInt8]) {
            self.name = name
            self.shape = shape
            self.type = type
            self.bytes = bytes
        }

        /// Gives the tensor another shape or type, and as many zero bytes as that takes.
        public mutating func reshape(_ shape: [Int], _ type: TensorType? = nil) {
            self.shape = shape
            self.type = type ?? self.type
            let count = shape.reduce(1, *) / self.type.itemsPerBlock * self.type.bytesPerBlock
            bytes = [UInt8](repeating: 0, count: count)
        }
    }

    public var metadata: [(key: String, value: MetadataValue)] = []
    public var tensors: [Tensor] = []

    /// `tokenizer: false` leaves the tokenizer out, which makes a copy much quicker to write and read.
    public init(of fixture: String, tokenizer: Bool = true) throws {
        let file = try Fixture.model(fixture)
        for key in file.metadata.keys where tokenizer || !key.hasPrefix("tokenizer.") {
            if let value = file.metadata.value(key) { metadata.append((key, value)) }
        }
        tensors = file.tensors.map {
            Tensor(name: $0.name, shape: $0.shape, type: $0.type, bytes: unsafe Array(file.bytes(of: $0)))
        }
    }

    /// The value of a key; nil takes the key away.
    public subscript(key: String) -> MetadataValue? {
        get { metadata.first { $0.key == key }?.value }
        set {
            metadata.removeAll { $0.key == key }
            if let newValue { metadata.append((key, newValue)) }
        }
    }

    /// Changes a tensor.
    public mutating func edit(_ name: String, _ change: (inout Tensor) -> Void) {
        for index in tensors.indices where tensors[index].name == name { change(&tensors[index]) }
    }

    public func write(to path: String) throws {
        var writer = GGUFWriter()
        for (key, value) in metadata { writer.set(key, to: value) }
        for tensor in tensors {
            writer.addTensor(tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes)
        }
        try writer.write(to: path)
    }

    /// Writes and opens the copy; the file is deleted at once, its map lives on.
    public func open() throws -> GGUFFile {
        let folder = try TemporaryFolder()
        try write(to: folder.file("model.gguf"))
        return try GGUFFile(path: folder.file("model.gguf"))
    }
}

extension [UInt8] {
    /// Writes a little-endian number.
    public mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        for byte in 0..<T.bitWidth / 8 { self[offset + byte] = UInt8(truncatingIfNeeded: value >> T(8 * byte)) }
    }
}

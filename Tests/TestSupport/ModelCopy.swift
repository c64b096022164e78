// Copies of fixture models with something changed, to see what the change does.
public import Q3GGUF

public struct ModelCopy {
    public struct Tensor {
        public let name: String
        public var shape: [Int]
        public let type: TensorType
        public var bytes: [UInt8]
    }

    public var metadata: [(key: String, value: MetadataValue)] = []
    public var tensors: [Tensor] = []

    public init(of fixture: String) throws {
        let file = try Fixture.model(fixture)
        for key in file.metadata.keys {
            if let value = file.metadata.value(key) { metadata.append((key, value)) }
        }
        for tensor in file.tensors {
            let bytes = unsafe Array(file.bytes(of: tensor))
            tensors.append(Tensor(name: tensor.name, shape: tensor.shape, type: tensor.type, bytes: bytes))
        }
    }

    public mutating func set(_ key: String, _ value: MetadataValue) {
        remove(key)
        metadata.append((key, value))
    }

    public mutating func remove(_ key: String) {
        metadata.removeAll { $0.key == key }
    }

    /// Changes the bytes of a tensor.
    public mutating func edit(_ tensor: String, _ change: (inout [UInt8]) -> Void) {
        for index in tensors.indices where tensors[index].name == tensor { change(&tensors[index].bytes) }
    }

    public func write(to path: String) throws {
        var writer = GGUFWriter()
        for (key, value) in metadata { writer.set(key, to: value) }
        for tensor in tensors {
            writer.addTensor(tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes)
        }
        try writer.write(to: path)
    }

    /// Writes the copy into a folder and opens it.
    public func opened(in folder: TemporaryFolder, as name: String = "copy.gguf") throws -> GGUFFile {
        try write(to: folder.file(name))
        return try GGUFFile(path: folder.file(name))
    }
}

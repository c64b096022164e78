// A tiny model with something wrong in it.

import Q3GGUF
import Q3Model
import TestSupport

/// The content of a fixture, to be changed and written as a file of its own. The tokenizer is left out.
struct MutatedFile {
    struct Tensor {
        var name: String
        /// The fastest axis first.
        var shape: [Int]
        var type: TensorType
        var bytes: [UInt8]

        /// Gives the tensor another shape or type, and as many zero bytes as that takes.
        mutating func reshape(_ shape: [Int], _ type: TensorType? = nil) {
            self.shape = shape
            self.type = type ?? self.type
            let count = shape.reduce(1, *) / self.type.itemsPerBlock * self.type.bytesPerBlock
            bytes = [UInt8](repeating: 0, count: count)
        }
    }

    private var pairs: [(key: String, value: MetadataValue)] = []
    var tensors: [Tensor] = []

    init(_ name: String = "tiny-embed-Q8_0") throws {
        let file = try Fixture.model(name)
        for key in file.metadata.keys where !key.hasPrefix("tokenizer.") {
            if let value = file.metadata.value(key) { pairs.append((key, value)) }
        }
        tensors = file.tensors.map {
            Tensor(name: $0.name, shape: $0.shape, type: $0.type, bytes: unsafe Array(file.bytes(of: $0)))
        }
    }

    /// The value of a key; nil takes the key away.
    subscript(key: String) -> MetadataValue? {
        get { pairs.first { $0.key == key }?.value }
        set {
            pairs.removeAll { $0.key == key }
            if let newValue { pairs.append((key, newValue)) }
        }
    }

    mutating func edit(_ name: String, _ change: (inout Tensor) -> Void) {
        for index in tensors.indices where tensors[index].name == name { change(&tensors[index]) }
    }

    /// Writes and opens the file; it is deleted at once, its map lives on.
    func open() throws -> GGUFFile {
        var writer = GGUFWriter()
        for (key, value) in pairs { writer.set(key, to: value) }
        for tensor in tensors {
            writer.addTensor(tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes)
        }
        let folder = try TemporaryFolder()
        try writer.write(to: folder.file("model.gguf"))
        return try GGUFFile(path: folder.file("model.gguf"))
    }

    /// The error that loading the file as a model throws, nil if it loads.
    func errorOfLoading() throws -> (any Error)? {
        let file = try open()
        do {
            _ = try Qwen3Model(file: file)
            return nil
        } catch {
            return error
        }
    }
}

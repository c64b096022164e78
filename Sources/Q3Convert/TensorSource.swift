// One tensor to be written, and where its values come from.
import Q3GGUF

/// A tensor of the model to be made. Nothing of it is read before its turn comes.
@safe struct TensorSource: Sendable {
    let name: String
    /// The fastest axis first.
    let shape: [Int]
    /// How `read` gives the values.
    let type: TensorType
    /// Copies bytes from `offset` on; reads of different threads may overlap.
    let read: @Sendable (_ offset: Int, _ memory: UnsafeMutableRawBufferPointer) throws -> Void

    var elementCount: Int { shape.reduce(1, *) }
}

extension TensorSource {
    /// A tensor of a GGUF file.
    init(_ tensor: TensorInfo, of file: GGUFFile) {
        unsafe self.init(name: tensor.name, shape: tensor.shape, type: tensor.type) { offset, memory in
            unsafe try file.read(tensor, at: offset, into: memory)
        }
    }
}

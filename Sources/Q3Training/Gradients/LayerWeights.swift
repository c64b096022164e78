// The weights of the layers that are trained, as floats: dequantized once.
import Q3GGUF
import Q3Kernels
package import Q3Linear
package import Q3Model

/// One layer's weights. They are never changed; matrices are [outputs, inputs].
package struct LayerWeights<Scalar: ProductScalar>: Sendable {
    let attnNorm, qNorm, kNorm, ffnNorm: Grid<Scalar>  // [1, width]
    let matrices: [Projection: Grid<Scalar>]

    /// Reads a layer of the file. Throws `ModelError.nonFiniteWeight`.
    package init(_ model: Qwen3Model, layer: Int) throws {
        func tensor(_ part: Qwen3Schema.Part) throws -> Grid<Scalar> {
            try Grid(tensor: Qwen3Schema.Tensor(part, layer: layer), of: model)
        }
        attnNorm = try tensor(.attnNorm)
        qNorm = try tensor(.qNorm)
        kNorm = try tensor(.kNorm)
        ffnNorm = try tensor(.ffnNorm)
        var matrices: [Projection: Grid<Scalar>] = [:]
        for projection in Projection.allCases { matrices[projection] = try tensor(projection.part) }
        self.matrices = matrices
    }
}

extension Grid {
    /// A tensor of the model [rows, columns], every weight as a float.
    convenience init(tensor: Qwen3Schema.Tensor, of model: Qwen3Model) throws {
        guard let info = model.file.tensor(named: tensor.name) else { throw ModelError.missingTensor(tensor.name) }
        let shape = info.shape
        self.init(shape.count > 1 ? shape[1] : 1, shape[0], from: GridPool())
        var values = [Float](repeating: 0, count: count)
        unsafe values.withUnsafeMutableBufferPointer {
            unsafe WeightCodec().decode(model.file.bytes(of: info), typeID: info.type.rawValue, into: $0)
        }
        for (index, value) in values.enumerated() {
            guard value.isFinite else { throw ModelError.nonFiniteWeight(tensor: tensor.name, index: index) }
            unsafe base[index] = Scalar(value)
        }
    }
}

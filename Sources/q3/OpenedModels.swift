// The models that options name, opened for what a command does with them.
import Q3Embedding
import Q3Model
import Q3Reranking

extension ModelArguments {
    /// The model for vectors. Throws where there is an instruction that it cannot take.
    func embedder(instruct: String? = nil, givenAs places: String = "--instruct") throws -> Embedder {
        let embedder = try opening(model, copying: noMmap) { try Embedder(file: $0, options: options) }
        embedder.role.announce(use: .embedding, of: embedder.model)
        try embedder.check(instruct: instruct, givenAs: places)
        return embedder
    }

    /// The second model of a command, to which --role does not apply; nil where none is named.
    func reranker(_ given: String?) throws -> Reranker? {
        try given.map { name in
            try opening(name, copying: noMmap) { try Reranker(file: $0, options: computing.rerankerOptions) }
        }
    }
}

extension Embedder {
    /// Throws where a model that takes no instructions is given one.
    func check(instruct: String?, givenAs places: String = "--instruct") throws {
        guard instruct != nil, !takesInstructions else { return }
        throw Failure(.usage, "this model takes no instructions; leave out \(places)")
    }
}

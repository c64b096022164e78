// Cohere's /v1/embed and /v2/embed: vectors in several types at once.
#if Server
    import Hummingbird
    import Q3Embedding
    import Q3GGUF
    import Q3Model
    import Q3Reranking
    import Q3Tokenizer

    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #else
        import Foundation
    #endif

    private struct CohereEmbedRequest: Decodable {
        struct Content: Decodable {
            struct Part: Decodable {
                var type: String?
                var text: String?
            }
            var content: [Part]
        }

        var texts: [String]?
        /// The second version's other form.
        var inputs: [Content]?
        var model: String?
        var inputType: String?
        var embeddingTypes: [String]?
        var outputDimension: Whole?
        var truncate: Truncate?
        var instruction: String?
    }

    private struct CohereMeta: Encodable {
        struct Version: Encodable { let version: String }
        struct Units: Encodable { let inputTokens: Int }
        let apiVersion: Version
        let billedUnits: Units
    }

    private struct CohereEmbeddings: Encodable {
        enum Embeddings: Encodable {
            case floats([[Float]])
            case byType([String: [CohereVector]])

            func encode(to encoder: any Encoder) throws {
                var value = encoder.singleValueContainer()
                switch self {
                case .floats(let vectors): try value.encode(vectors)
                case .byType(let types): try value.encode(types)
                }
            }
        }

        let id: String
        let embeddings: Embeddings
        let texts: [String]
        let meta: CohereMeta
        let responseType: String
    }

    private enum CohereVector: Encodable {
        case encoded(EncodedVector)
        case base64(EncodedVector)

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .base64(let vector): try value.encode(Data(vector.bytes).base64EncodedString())
            case .encoded(.float32(let values)): try value.encode(values)
            case .encoded(.float16(let bits)): try value.encode(bits)
            case .encoded(.int8(let values)): try value.encode(values)
            case .encoded(.uint8(let values)): try value.encode(values)
            }
        }
    }

    struct CohereRoutes: Sendable {
        let inference: Inference

        func version1(_ call: Call) async throws(Fault) -> Response { try await embed(call, version: "1") }
        func version2(_ call: Call) async throws(Fault) -> Response { try await embed(call, version: "2") }

        private func embed(_ call: Call, version: String) async throws(Fault) -> Response {
            let body = try call.decode(CohereEmbedRequest.self)
            guard let texts = body.texts ?? body.inputs?.map({ $0.content.compactMap(\.text).joined(separator: " ") })
            else {
                throw .invalid("texts", "\"texts\" is missing")
            }
            var prompt: TextPrompt?
            if let type = body.inputType {
                let named = try TextPrompt(named: type, field: "input_type")
                prompt = body.instruction.map { named == .document ? .document : .query(task: $0) } ?? named
            } else if let task = body.instruction {
                prompt = .query(task: task)
            }
            let types = try body.embeddingTypes?.map { name throws(Fault) in try CohereType(name) }
            let cut: Embedder.Cut? =
                if let truncate = body.truncate { try truncate.cut(field: "truncate") } else { .end }
            let vectors = try await inference.embed(
                .init(
                    model: body.model, items: texts.map { .text($0) }, field: "texts", prompt: prompt,
                    dimensions: body.outputDimension?.value, cut: cut), for: call)
            let byType = try types.map { types throws(Fault) in try encoded(vectors.vectors, types) }
            return try Response(
                json: CohereEmbeddings(
                    id: call.id,
                    embeddings: byType.map { .byType($0) }
                        ?? (version == "1"
                            ? .floats(vectors.vectors)
                            : .byType(["float": vectors.vectors.map { .encoded(.float32($0)) }])),
                    texts: texts,
                    meta: .init(
                        apiVersion: .init(version: version), billedUnits: .init(inputTokens: vectors.tokenCount)),
                    responseType: byType == nil && version == "1" ? "embeddings_floats" : "embeddings_by_type"),
                timing: vectors.timing)
        }

        private func encoded(
            _ vectors: [[Float]], _ types: [CohereType]
        ) throws(Fault) -> [String: [CohereVector]] {
            var result: [String: [CohereVector]] = [:]
            for type in types {
                do {
                    result[type.name] = try vectors.map { try type.encode($0) }
                } catch {
                    throw Fault(error)
                }
            }
            return result
        }
    }

    /// An element type by Cohere's name.
    private struct CohereType {
        let name: String

        init(_ name: String) throws(Fault) {
            guard ["float", "int8", "uint8", "binary", "ubinary", "base64"].contains(name) else {
                throw .invalid(
                    "embedding_types", "\"embedding_types\" takes float, int8, uint8, binary, ubinary and base64")
            }
            self.name = name
        }

        func encode(_ vector: [Float]) throws -> CohereVector {
            switch name {
            case "base64": .base64(.float32(vector))
            case "int8": .encoded(try EmbeddingType.int8.encode(vector, ranges: Self.ranges(vector.count)))
            case "uint8": .encoded(try EmbeddingType.uint8.encode(vector, ranges: Self.ranges(vector.count)))
            case "binary": .encoded(try EmbeddingType.binary.encode(vector))
            case "ubinary": .encoded(try EmbeddingType.ubinary.encode(vector))
            default: .encoded(.float32(vector))
            }
        }

        /// The 256 steps of `int8` and `uint8`, the same for every request so that their vectors can be compared: a value of
        /// a unit vector of n dimensions is seldom beyond 4/√n, four times its root mean square, and is clamped there.
        private static func ranges(_ dimensions: Int) throws -> EmbeddingRanges {
            let bound = 4 / Float(dimensions).squareRoot()
            return try EmbeddingRanges(
                minimum: Array(repeating: -bound, count: dimensions),
                maximum: Array(repeating: bound, count: dimensions))
        }
    }
#endif

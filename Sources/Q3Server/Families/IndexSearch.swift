// Searching documents that are indexed already: POST /search, and what the indexes hold.
#if Server && Index
import HTTPTypes
import Hummingbird
import Q3Embedding
import Q3Index
import Q3IndexAPI
import Q3Reranking

extension APIFamily {
    static func indexSearch(_ backend: Backend) -> APIFamily {
        let api = IndexSearch(backend: backend)
        return APIFamily(
            errors: .openAI,
            routes: [
                .post("/search", to: api.search), .get("/indexes", to: api.list), .get("/indexes/**", to: api.part),
            ])
    }
}

private struct IndexSearch: Sendable {
    let backend: Backend

    func search(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let service = try backend.indexService(for: request)
        do {
            let search = try SearchRequest(request.decode(AnyJSON.self))
            let answer = try await service.search(search)
            return APIResponse(text: "\(IndexJSON.answer(answer, to: search))", type: "application/json")
        } catch {
            throw APIError(index: error)
        }
    }

    /// Every index with what it holds; none where the server has none.
    func list(_ request: APIRequest) async throws(APIError) -> APIResponse {
        var indexes: [String] = []
        do {
            for served in backend.indexes { indexes.append("\(try await IndexJSON.status(of: served))") }
        } catch {
            throw APIError(index: error)
        }
        return APIResponse(text: "{\"indexes\":[\(indexes.joined(separator: ","))]}", type: "application/json")
    }

    /// `/indexes/NAME`, and `/indexes/NAME/documents/NUMBER`: a document as the index has it, never a file of the disk.
    func part(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let parts = request.parameters.getCatchAll().map { String($0).percentDecoded }
        let service = try backend.indexService(for: request)
        do {
            let served: NamedIndex
            do {
                served = try service.index(parts.first)
            } catch {
                throw APIError(.noSuchRoute, error.message)
            }
            if parts.count == 1 {
                return APIResponse(text: "\(try await IndexJSON.status(of: served))", type: "application/json")
            }
            guard parts.count == 3, parts[1] == "documents", let id = Int(parts[2]) else {
                throw APIError(.noSuchRoute, "there is no such route; see /docs")
            }
            guard let document = try await served.index.document(id) else {
                throw APIError(.noSuchRoute, "index \"\(served.name)\" has no document \(id) any more; search again")
            }
            return APIResponse(text: "\(IndexJSON.document(document))", type: "application/json")
        } catch {
            throw APIError(index: error)
        }
    }
}

extension Backend {
    /// Answers searches in this request's turn, and within its time.
    func indexService(for request: APIRequest) throws(APIError) -> IndexService {
        guard !indexes.isEmpty else {
            throw APIError(.noSuchRoute, "this server has no index; start it with q3 serve --index INDEX")
        }
        let hasReranker = try models.all().contains { !$0.isEmbedder }
        let vector: @Sendable (SearchRequest, NamedIndex) async throws -> [Float] = { search, served in
            try await self.vector(of: search, served, for: request)
        }
        guard hasReranker else {
            return IndexService(indexes: indexes, computing: IndexComputing(vector: vector, scores: nil))
        }
        let scores: IndexComputing.Scores = { pairs, search in
            try await self.scores(of: pairs, search, for: request)
        }
        return IndexService(indexes: indexes, computing: IndexComputing(vector: vector, scores: scores))
    }

    private func vector(
        of search: SearchRequest, _ served: NamedIndex, for request: APIRequest
    ) async throws(APIError) -> [Float] {
        let work = EmbeddingService.Work(
            model: served.model, items: [.text(search.query.text)], field: "query",
            prompt: .query(task: search.instruction), dimensions: served.index.configuration.dimensions,
            adapter: search.adapter ?? served.adapterName, cut: .end)
        return try await embedding.embed(work, for: request).vectors[0]
    }

    private func scores(
        of pairs: [RerankPair], _ search: SearchRequest, for request: APIRequest
    ) async throws(APIError) -> [Result<RerankScore, RerankError>] {
        let scored = try await reranking.score(
            pairs, model: search.reranking?.model,
            options: RerankOptions(instruction: search.instruction, truncates: true), field: "hits", for: request)
        return scored.scores.map { .success($0) }
    }
}

extension APIError {
    /// What the API says of an error of an index.
    init(index error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as RequestFault: self.init(.invalid, error.message, param: error.field)
        case let error as IndexError: self.init(.internal, "\(error)")
        default: self.init(error)
        }
    }
}
#endif

// An index's answers as JSON, the same on the command line and for agents.
package import Q3Index
package import Q3System

package enum IndexJSON {
    /// - Parameter placeBefore: The hit's place before it was reranked, counted from 1.
    package static func hit(_ hit: IndexHit, withSnippet: Bool = true, placeBefore: Int? = nil) -> JSONObject {
        var object = JSONObject()
        object.add("chunk", hit.id)
        object.add("document", hit.document)
        object.add("score", hit.score)
        if let similarity = hit.similarity { object.add("similarity", similarity) }
        if let relevance = hit.relevance { object.add("relevance", relevance) }
        if let placeBefore { object.add("place_before", placeBefore) }
        object.add("path", quoted: hit.path)
        if let name = hit.name { object.add("id", quoted: name) }
        object.add("title", quoted: hit.title)
        object.add("context", quoted: hit.context)
        object.add("lines", [hit.lines.lowerBound, hit.lines.upperBound])
        object.add("bytes", [hit.bytes.lowerBound, hit.bytes.upperBound])
        if withSnippet {
            object.add("snippet", quoted: hit.snippet.text)
            object.add(
                "marks", "[\(hit.snippet.marks.map { "[\($0.lowerBound),\($0.upperBound)]" }.joined(separator: ","))]")
        }
        object.add("text", quoted: hit.text)
        return object
    }

    /// The answer to a search.
    package static func answer(_ answer: SearchAnswer, to request: SearchRequest) -> JSONObject {
        var object = JSONObject()
        object.add("index", quoted: answer.index.name)
        object.add("model", quoted: answer.index.model)
        object.add("mode", quoted: request.query.mode.rawValue)
        if request.reranking != nil { object.add("reranked", answer.results.rerankedCount) }
        let places = answer.placesBefore
        object.add(
            "hits",
            list: answer.results.hits.enumerated().map { index, hit in
                Self.hit(
                    hit, withSnippet: request.givesSnippets, placeBefore: places.isEmpty ? nil : places[index])
            })
        if let similarities = answer.similarities { object.add("similarities", similarities) }
        var times = JSONObject()
        let parts = [("vector", answer.times.vector), ("search", answer.times.search), ("rerank", answer.times.rerank)]
        for (name, duration) in parts where duration > .zero {
            times.add(name, (duration / .microseconds(1)).rounded() / 1000)
        }
        object.add("milliseconds", times)
        return object
    }

    /// What an index holds, with what requests call it.
    package static func status(of served: NamedIndex) async throws -> JSONObject {
        var object = status(try await served.index.status(), served.index.configuration, path: served.index.path)
        object.add("name", quoted: served.name)
        object.add("served_model", quoted: served.model)
        return object
    }

    package static func status(_ status: IndexStatus, _ made: IndexConfiguration, path: String) -> JSONObject {
        var object = JSONObject()
        object.add("index", quoted: path)
        object.add("model", quoted: made.model.name)
        object.add("fingerprint", quoted: made.model.fingerprint)
        object.add("dimensions", made.dimensions)
        object.add("chunk_tokens", made.chunkTokens)
        object.add(
            "sources",
            list: status.sources.map { source in
                var object = JSONObject()
                object.add("kind", quoted: source.kind.rawValue)
                object.add("path", quoted: source.path)
                object.add("globs", "[\(source.globs.map(JSONText.quoted).joined(separator: ","))]")
                object.add("context", quoted: source.context)
                return object
            })
        object.add("files", status.files)
        object.add("unfinished_files", status.unfinishedFiles)
        object.add(
            "left_out",
            list: status.problems.map { problem in
                var object = JSONObject()
                object.add("reason", quoted: problem.reason)
                object.add("count", problem.count)
                return object
            })
        object.add("documents", status.documents)
        object.add("chunks", status.chunks)
        object.add("tokens", status.tokens)
        object.add("vectors", status.vectors)
        object.add("dead_vectors", status.deadVectors)
        object.add("segments", status.segments)
        object.add("vector_bytes", status.vectorBytes)
        object.add("catalog_bytes", status.catalogBytes)
        return object
    }

    /// - Parameter next: The first chunk that was left out.
    package static func document(_ document: IndexedDocument, next: Int? = nil) -> JSONObject {
        var object = JSONObject()
        object.add("path", quoted: document.path)
        if let name = document.name { object.add("id", quoted: name) }
        object.add("title", quoted: document.title)
        object.add("kind", quoted: document.kind)
        if let language = document.language { object.add("language", quoted: language) }
        object.add(
            "chunks",
            list: document.chunks.map { chunk in
                var object = JSONObject()
                object.add("chunk", chunk.id)
                object.add("lines", [chunk.lines.lowerBound, chunk.lines.upperBound])
                object.add("text", quoted: chunk.text)
                return object
            })
        if let next { object.add("next_chunk", next) }
        return object
    }
}

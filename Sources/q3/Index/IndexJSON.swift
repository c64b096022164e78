// An index's answers as JSON, the same on the command line and for agents.
#if Index
    import Q3Index

    enum IndexJSON {
        static func hit(_ hit: IndexHit) -> JSONObject {
            var object = JSONObject()
            object.add("chunk", hit.id)
            object.add("document", hit.document)
            object.add("score", hit.score)
            if let similarity = hit.similarity { object.add("similarity", similarity) }
            if let relevance = hit.relevance { object.add("relevance", relevance) }
            object.add("path", quoted: hit.path)
            if let name = hit.name { object.add("id", quoted: name) }
            object.add("title", quoted: hit.title)
            object.add("context", quoted: hit.context)
            object.add("lines", [hit.lines.lowerBound, hit.lines.upperBound])
            object.add("bytes", [hit.bytes.lowerBound, hit.bytes.upperBound])
            object.add("snippet", quoted: hit.snippet.text)
            object.add(
                "marks", "[\(hit.snippet.marks.map { "[\($0.lowerBound),\($0.upperBound)]" }.joined(separator: ","))]")
            object.add("text", quoted: hit.text)
            return object
        }

        static func status(_ status: IndexStatus, _ made: IndexConfiguration, path: String) -> JSONObject {
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

        static func document(_ document: IndexedDocument) -> JSONObject {
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
            return object
        }
    }
#endif
